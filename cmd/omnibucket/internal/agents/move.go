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

func (s *server) addMove(b storage.ReadWriter) {
	about := "Gives an object another key, inside the store."
	if s.rules.overwrite {
		about += " It fails if an object has the new key, unless overwrite is given."
	} else {
		about += " It fails if an object has the new key: nothing can be replaced."
	}
	add(s, &mcp.Tool{
		Name:        toolMove,
		Annotations: hints("Move an object", false, true, false),
		Description: about,
		InputSchema: schemaOf[moveIn](s.rules.overwrite, "overwrite"),
	}, func(ctx context.Context, in moveIn) (*mcp.CallToolResult, moveOut, error) {
		if err := checkKey("from", in.From); err != nil {
			return nil, moveOut{}, err
		}
		if err := checkNewKey("to", in.To); err != nil {
			return nil, moveOut{}, err
		}
		if in.From == in.To {
			return nil, moveOut{}, refusal("to must be another key than from")
		}
		var opts []storage.CopyOption
		if !s.rules.overwrite || !in.Overwrite {
			opts = append(opts, storage.IfAbsent())
		}
		attrs, err := storage.Move(ctx, b, in.From, in.To, opts...)
		if err != nil {
			return nil, moveOut{}, err
		}
		return nil, moveOut{in.To, attrs.Size, attrs.Revision}, nil
	})
}
