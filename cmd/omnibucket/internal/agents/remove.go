package agents

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/omnibucket/storage"
)

type removeIn struct {
	Key        string `json:"key" jsonschema:"key of the object"`
	IfRevision string `json:"ifRevision,omitempty" jsonschema:"remove it only if it still has this revision"`
}

type removeOut struct {
	Key string `json:"key"`
}

// addRemove offers clients the tool that removes an object of b.
func (s *server) addRemove(b storage.Remover) {
	add(s, &mcp.Tool{
		Name:        toolRemove,
		Annotations: annotations("Remove an object", effects{destructive: true, idempotent: true}),
		Description: "Removes one object. It succeeds if there is none. A folder cannot be removed.",
	}, func(ctx context.Context, args removeIn) (*mcp.CallToolResult, removeOut, error) {
		if err := checkKey("key", args.Key); err != nil {
			return nil, removeOut{}, err
		}

		var opts []storage.RemoveOption
		if args.IfRevision != "" {
			opts = append(opts, storage.IfRevision(args.IfRevision))
		}
		err := b.Remove(ctx, args.Key, opts...)
		return nil, removeOut{Key: args.Key}, revisionError(err, args.IfRevision)
	})
}
