package agents

import (
	"bytes"
	"context"
	"encoding/base64"
	"strconv"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/omnibucket/storage"
)

type writeIn struct {
	Key         string  `json:"key" jsonschema:"key of the new object"`
	Text        *string `json:"text,omitempty" jsonschema:"content as text"`
	Base64      *string `json:"base64,omitempty" jsonschema:"content as bytes in base64, instead of text"`
	ContentType string  `json:"contentType,omitempty" jsonschema:"media type; the default is by the key"`
	Overwrite   bool    `json:"overwrite,omitempty" jsonschema:"replace an object that has this key"`
	IfRevision  string  `json:"ifRevision,omitempty" jsonschema:"replace it only if it still has this revision"`
}

type writeOut struct {
	Key      string `json:"key"`
	Size     int64  `json:"size"`
	Revision string `json:"revision,omitempty" jsonschema:"opaque text for ifRevision"`
}

// addWrite offers the tool that stores an object.
func (s *server) addWrite(b storage.Uploader) {
	description := "Stores a new object of at most " + strconv.FormatInt(s.rules.maxWrite, 10) + " bytes."
	if s.rules.overwrite {
		description += " It fails if an object has the key, unless overwrite or ifRevision is given."
	} else {
		description += " It fails if an object has the key: nothing can be replaced."
	}

	add(s, &mcp.Tool{
		Name:        toolWrite,
		Annotations: annotations("Write an object", effects{destructive: s.rules.overwrite}),
		Description: description,
		InputSchema: schemaOf[writeIn](s.rules.hiddenUnlessOverwrite("overwrite", "ifRevision")...),
	}, func(ctx context.Context, args writeIn) (*mcp.CallToolResult, writeOut, error) {
		if err := checkNewKey("key", args.Key); err != nil {
			return nil, writeOut{}, err
		}
		content, err := args.content(s.rules.maxWrite)
		if err != nil {
			return nil, writeOut{}, err
		}

		opts := args.options(s.rules.overwrite)
		attrs, err := b.Upload(ctx, args.Key, bytes.NewReader(content), opts...)
		if err != nil {
			// Without a content type, only the revision can be an invalid argument.
			if args.ContentType == "" {
				err = revisionError(err, args.IfRevision)
			}
			return nil, writeOut{}, err
		}
		return nil, writeOut{Key: args.Key, Size: int64(len(content)), Revision: attrs.Revision}, nil
	})
}

// options returns the options of the upload. The key must be new unless the server, by mayOverwrite, and the
// call both permit a replacement.
func (in writeIn) options(mayOverwrite bool) []storage.UploadOption {
	var opts []storage.UploadOption
	if mayOverwrite && in.IfRevision != "" {
		opts = append(opts, storage.IfRevision(in.IfRevision))
	} else if !mayOverwrite || !in.Overwrite {
		opts = append(opts, storage.IfAbsent())
	}
	if in.ContentType != "" {
		opts = append(opts, storage.WithContentType(in.ContentType))
	}
	return opts
}

// content returns the bytes to store, and fails if they are more than limit.
func (in *writeIn) content(limit int64) ([]byte, error) {
	tooLarge := refusal("content must have at most " + strconv.FormatInt(limit, 10) + " bytes")
	hasText := in.Text != nil
	hasBase64 := in.Base64 != nil
	if hasText == hasBase64 {
		return nil, refusal("either text or base64 must be given")
	}

	if hasText {
		if int64(len(*in.Text)) > limit {
			return nil, tooLarge
		}
		return []byte(*in.Text), nil
	}

	// DecodedLen also counts the padding.
	const maxPadding = 2
	if int64(base64.StdEncoding.DecodedLen(len(*in.Base64))) > limit+maxPadding {
		return nil, tooLarge
	}
	content, err := base64.StdEncoding.DecodeString(*in.Base64)
	if err != nil {
		return nil, refusal("base64 must be standard base64 with padding")
	}
	// Now the exact length is known, without the padding.
	if int64(len(content)) > limit {
		return nil, tooLarge
	}
	return content, nil
}

// schemaOf returns the JSON schema of a tool's arguments or results, without hidden properties.
func schemaOf[T any](hidden ...string) *jsonschema.Schema {
	schema, err := jsonschema.For[T](nil)
	if err != nil {
		// All types that are used here have a schema.
		panic(err)
	}
	for _, name := range hidden {
		delete(schema.Properties, name)
	}
	return schema
}

// hiddenUnlessOverwrite returns names, those of arguments to hide, if the agent may not replace objects. Otherwise, it
// returns nil.
func (r *rules) hiddenUnlessOverwrite(names ...string) []string {
	if r.overwrite {
		return nil
	}
	return names
}
