module github.com/astrid-go/astrid/sdk

go 1.26.0
