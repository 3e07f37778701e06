package agents

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/words"
)

const (
	defaultRead = 64 << 10
	maxRead     = 256 << 10
	minRead     = 16 // room for a few characters, so that each read makes progress
	// maxJSON limits the size of a text in JSON, in bytes. Escapes can make a text six times as
	// long.
	maxJSON = maxRead + maxRead/4
)

type readIn struct {
	Key        string `json:"key" jsonschema:"key of the object"`
	Offset     int64  `json:"offset,omitempty" jsonschema:"first byte; nextOffset of the last result continues"`
	Length     int64  `json:"length,omitempty" jsonschema:"bytes, at most 262144; the default is 65536"`
	IfRevision string `json:"ifRevision,omitempty" jsonschema:"fail if the object has another revision"`
}

// A readAbout has the attributes in the result of the tool named read. A readOut adds the text.
type readAbout struct {
	Key             string    `json:"key"`
	Size            int64     `json:"size" jsonschema:"bytes of the whole object"`
	ContentType     string    `json:"contentType,omitempty"`
	ContentEncoding string    `json:"contentEncoding,omitempty"`
	Revision        string    `json:"revision,omitempty" jsonschema:"opaque text for ifRevision"`
	Modified        time.Time `json:"modified,omitzero"`
	Offset          int64     `json:"offset" jsonschema:"byte at which text begins"`
	NextOffset      int64     `json:"nextOffset,omitempty" jsonschema:"offset of what follows; absent at the end"`
	Binary          bool      `json:"binary" jsonschema:"whether the bytes are no text in UTF-8"`
}

type readOut struct {
	readAbout
	Text string `json:"text"`
}

// addRead offers the tool that reads text of an object.
func (s *server) addRead(b storage.Downloader) {
	add(s, &mcp.Tool{
		Name:        toolRead,
		Annotations: annotations("Read text", effects{readOnly: true, idempotent: true}),
		Description: "Reads text in UTF-8 from an object, by default its first 64 KiB. Binary content is not sent. " +
			untrusted,
	}, func(ctx context.Context, args readIn) (*mcp.CallToolResult, readOut, error) {
		if err := args.check(); err != nil {
			return nil, readOut{}, err
		}
		if args.Length == 0 {
			args.Length = defaultRead
		}
		// A read must have room for some characters, so that it makes progress.
		args.Length = max(args.Length, minRead)

		attrs, data, err := readRange(ctx, b, args)
		if err != nil {
			return nil, readOut{}, err
		}
		output := args.result(attrs, data)
		return output.content(), output, nil
	})
}

// check returns an error if the key, the offset or the length is invalid.
func (in readIn) check() error {
	if err := checkKey("key", in.Key); err != nil {
		return err
	}
	if in.Offset < 0 {
		return refusal("offset must not be negative")
	}
	// A length of 0 stands for the default.
	if in.Length < 0 || in.Length > maxRead {
		return refusal("length must be from 1 to " + strconv.Itoa(maxRead))
	}
	return nil
}

// readRange reads at most args.Length bytes of an object from args.Offset.
func readRange(ctx context.Context, b storage.Downloader, args readIn) (*storage.Attrs, []byte, error) {
	opts := []storage.DownloadOption{storage.WithRange(args.Offset, args.Length), storage.WithConcurrency(1)}
	if args.IfRevision != "" {
		opts = append(opts, storage.IfRevision(args.IfRevision))
	}
	r, err := b.Download(ctx, args.Key, opts...)
	if err != nil {
		return nil, nil, revisionError(err, args.IfRevision)
	}
	defer r.Close()

	remaining := r.Attrs().Size - args.Offset
	data := make([]byte, max(0, min(args.Length, remaining)))
	n, err := io.ReadFull(r, data)
	// A body that is shorter than the attributes say is no error.
	isShort := errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
	if err != nil && !isShort {
		return r.Attrs(), data[:n], err
	}
	return r.Attrs(), data[:n], nil
}

// result returns the result of a read whose data begins at in.Offset. Text is cut to whole characters
// that can be sent, and other data is left out.
func (in readIn) result(a *storage.Attrs, data []byte) readOut {
	output := readOut{readAbout: readAbout{
		Key:             a.Key,
		Size:            a.Size,
		ContentType:     a.ContentType,
		ContentEncoding: a.ContentEncoding,
		Revision:        a.Revision,
		Modified:        a.Modified,
		Offset:          in.Offset,
	}}
	dataEnd := in.Offset + int64(len(data))

	// The data may begin and end within a character.
	start, stop := words.WholeCharacters(data, in.Offset > 0, dataEnd < a.Size)
	text := data[start:stop]

	// The next read begins after what this one has handled.
	var nextOffset int64
	if isText(text) {
		text = text[:fittingLength(text, maxJSON)]
		output.Text = string(text)
		output.Offset = in.Offset + int64(start)
		nextOffset = output.Offset + int64(len(text))
	} else {
		output.Binary = true
		nextOffset = dataEnd
	}
	if nextOffset < a.Size {
		output.NextOffset = nextOffset
	}
	return output
}

// content returns the result for clients that do not read structured results. The attributes are
// JSON, and the text is as it is, because it would be longer in JSON.
func (o readOut) content() *mcp.CallToolResult {
	// Marshal cannot fail for these types.
	attributes, _ := json.Marshal(o.readAbout)

	text := o.Text
	if o.Binary {
		text = "The content is not text, so it is not shown."
	}
	return &mcp.CallToolResult{Content: []mcp.Content{
		&mcp.TextContent{Text: string(attributes)},
		&mcp.TextContent{Text: text},
	}}
}
