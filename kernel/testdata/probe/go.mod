module github.com/astrid-go/astrid/sdk/probe

go 1.26.0

require github.com/astrid-go/astrid/sdk v0.0.0

replace github.com/astrid-go/astrid/sdk => ../../../sdk
