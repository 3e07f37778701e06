package agents

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/omnibucket/storage"
)

type moveIn struct {
	From      string `json:"from" jsonschema:"key of the object"`
	To        string `json:"to" jsonschema:"new key of the object"`
	Overwrite bool   `json:"overwrite,omitempty" jsonschema:"replace an object that has the new key"`
}

type moveOut struct {
	Key      string `json:"key" jsonschema:"new key"`
	Size     int64  `json:"size"`
	Revision string `json:"revision,omitempty" jsonschema:"opaque text for ifRevision"`
}

// addMove offers the tool that gives an object another key.
func (s *server) addMove(b storage.ReadWriter) {
	description := "Gives an object another key, inside the store."
	if s.rules.overwrite {
		description += " It fails if an object has the new key, unless overwrite is given."
	} else {
		description += " It fails if an object has the new key: nothing can be replaced."
	}

	add(s, &mcp.Tool{
		Name:        toolMove,
		Annotations: annotations("Move an object", effects{destructive: true}),
		Description: description,
		InputSchema: schemaOf[moveIn](s.rules.hiddenUnlessOverwrite("overwrite")...),
	}, func(ctx context.Context, args moveIn) (*mcp.CallToolResult, moveOut, error) {
		if err := checkKey("from", args.From); err != nil {
			return nil, moveOut{}, err
		}
		if err := checkNewKey("to", args.To); err != nil {
			return nil, moveOut{}, err
		}
		if args.From == args.To {
			return nil, moveOut{}, refusal("to must be another key than from")
		}

		var opts []storage.CopyOption
		// The key must be new unless the server and the call both permit a replacement.
		if !s.rules.overwrite || !args.Overwrite {
			opts = append(opts, storage.IfAbsent())
		}
		attrs, err := storage.Move(ctx, b, args.From, args.To, opts...)
		if err != nil {
			return nil, moveOut{}, err
		}
		return nil, moveOut{Key: args.To, Size: attrs.Size, Revision: attrs.Revision}, nil
	})
}
