package meter_test

import (
	"context"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

func withResolver(ctx context.Context, resolve func(string) api.Module) context.Context {
	return experimental.WithImportResolver(ctx, resolve)
}
