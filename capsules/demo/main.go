//go:build wasip1

// Command demo is the capsule that `astrid demo` probes the kernel with. Its
// tools do what they are told and leave every refusal to the kernel.
package main

import (
	"encoding/json"
	"fmt"

	"github.com/astrid-go/astrid/sdk"
	"github.com/astrid-go/astrid/sdk/approval"
	"github.com/astrid-go/astrid/sdk/fs"
	"github.com/astrid-go/astrid/sdk/http"
	"github.com/astrid-go/astrid/sdk/ipc"
)

var (
	_ = sdk.Tool("publish_note", publish)
	_ = sdk.Tool("fetch_url", fetch)
	_ = sdk.Tool("write_note", write)
	_ = sdk.Tool("deploy", deploy)
)

func main() {}

type note struct {
	Topic string `json:"topic"`
	Text  string `json:"text"`
}

func publish(_ *sdk.Call, n note) (string, error) {
	body, err := json.Marshal(map[string]string{"text": n.Text})
	if err != nil {
		return "", err
	}
	if err := ipc.Publish(n.Topic, body); err != nil {
		return "", err
	}
	return "published on " + n.Topic, nil
}

type fetchArgs struct {
	URL string `json:"url"`
}

func fetch(_ *sdk.Call, a fetchArgs) (string, error) {
	r, err := http.Do("GET", a.URL, nil, nil)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("status %d, %d bytes", r.Status, len(r.Body)), nil
}

type writeArgs struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

func write(_ *sdk.Call, a writeArgs) (string, error) {
	if err := fs.WriteFile(a.Path, []byte(a.Text)); err != nil {
		return "", err
	}
	return "wrote " + a.Path, nil
}

type deployArgs struct {
	Target string `json:"target"`
}

func deploy(_ *sdk.Call, a deployArgs) (string, error) {
	d, err := approval.Request("deploy", a.Target)
	if err != nil {
		return "", err
	}
	if !d.Granted() {
		return "", fmt.Errorf("deploy to %s was refused", a.Target)
	}
	if err := fs.MkdirAll("deploy"); err != nil {
		return "", err
	}
	if err := fs.WriteFile("deploy/"+a.Target+".txt", []byte("deployed\n")); err != nil {
		return "", err
	}
	return "deployed to " + a.Target, nil
}
