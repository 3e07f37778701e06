package agents

import (
	"context"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/omnibucket/storage"
)

const (
	defaultLink = 15 * time.Minute
	maxLink     = time.Hour
)

type linkIn struct {
	Key     string `json:"key" jsonschema:"key of the object"`
	Seconds int    `json:"seconds,omitempty" jsonschema:"validity, at most 3600; the default is 900"`
}

type linkOut struct {
	URL       string    `json:"url" jsonschema:"address for a GET request"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// addLink offers the tool that signs a link.
func (s *server) addLink(b storage.SignedDownloader) {
	add(s, &mcp.Tool{
		Name:        toolLink,
		Annotations: annotations("Sign a link", effects{readOnly: true}),
		Description: "Returns a link with which anyone can read one object until it expires. It is a secret: give it " +
			"only to the user. It also works for content that is too large or not text.",
	}, func(ctx context.Context, args linkIn) (*mcp.CallToolResult, linkOut, error) {
		if err := checkKey("key", args.Key); err != nil {
			return nil, linkOut{}, err
		}

		if args.Seconds < 0 || args.Seconds > int(maxLink/time.Second) {
			return nil, linkOut{}, refusal("seconds must be from 1 to 3600")
		}
		ttl := defaultLink
		if args.Seconds > 0 {
			ttl = time.Duration(args.Seconds) * time.Second
		}

		signedURL, err := b.SignedDownloadURL(ctx, args.Key, storage.WithTTL(ttl))
		if err != nil {
			return nil, linkOut{}, err
		}
		if len(signedURL.Header) > 0 {
			return nil, linkOut{}, refusal("this location cannot sign links that work without headers; use read")
		}

		output := linkOut{URL: signedURL.URL, ExpiresAt: signedURL.ExpiresAt}
		// The plain text has the URL as it is, while JSON escapes each "&" in it.
		return &mcp.CallToolResult{Content: []mcp.Content{
			&mcp.TextContent{Text: output.URL},
			&mcp.TextContent{Text: "The link works until " + output.ExpiresAt.Format(time.RFC3339) + "."},
		}}, output, nil
	})
}
