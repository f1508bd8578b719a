package kernel

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/capsule"
	"github.com/astrid-go/astrid/principal"
)

// announce writes the catalogue of tools into every capsule's keys and tells
// everybody. A capsule finds it under catalogueKey, whoever it runs for.
func (k *Kernel) announce(ctx context.Context) error {
	var manifests []*capsule.Manifest
	for _, e := range k.registry.List() {
		if e.State == capsule.Ready {
			manifests = append(manifests, e.Manifest)
		}
	}
	k.mu.Lock()
	generation := k.catalog.Generation() + 1
	k.mu.Unlock()
	catalogue, conflicts := capsule.NewCatalogue(generation, manifests)
	for _, c := range conflicts {
		k.log.Warn("tool is not offered: another capsule has one of that name", "tool", c.Tool, "capsule", c.Capsule, "holder", c.Holder)
	}
	text, err := catalogue.JSON()
	if err != nil {
		return err
	}
	for _, m := range manifests {
		ns, err := k.kv.Namespace(principal.Default().String() + ":capsule:" + m.Name())
		if err != nil {
			return err
		}
		if err := ns.Set(ctx, catalogueKey, text); err != nil {
			return fmt.Errorf("write the tool catalogue: %w", err)
		}
	}
	system, err := k.kv.Namespace(catalogueNamespace)
	if err != nil {
		return err
	}
	if err := system.Set(ctx, catalogueKey, text); err != nil {
		return fmt.Errorf("write the tool catalogue: %w", err)
	}
	k.mu.Lock()
	k.catalog = catalogue
	k.mu.Unlock()
	body, err := json.Marshal(map[string]any{"status": "ready", "generation": generation})
	if err != nil {
		return err
	}
	return k.publish(ctx, "astrid.v1.capsules_loaded", principal.ID{}, body)
}

// catalogueKey is where a capsule finds the catalogue of tools, and
// catalogueNamespace the kernel's own copy.
const (
	catalogueKey       = "__tool_schema_cache"
	catalogueNamespace = "system:catalogue"
)

func (k *Kernel) catalogue() *capsule.Catalogue {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.catalog
}

// listTools answers with the catalogue as it is stored, which is what capsules
// read too.
func listTools(ctx context.Context, k *Kernel, _ principal.ID, _ api.Empty) (api.ToolList, error) {
	list := api.ToolList{Tools: []api.Tool{}}
	ns, err := k.kv.Namespace(catalogueNamespace)
	if err != nil {
		return list, err
	}
	text, found, err := ns.Get(ctx, catalogueKey)
	if err != nil || !found {
		return list, err
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return list, fmt.Errorf("read the tool catalogue: %w", err)
	}
	return list, nil
}
