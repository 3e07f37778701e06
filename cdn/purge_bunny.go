package cdn

import (
	"context"
	"fmt"
	"net/http"

	"github.com/omnibucket/storage/internal/cdnapi"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/internal/running"
)

// A BunnyPurgeConfig has the API key of an account of bunny.net.
type BunnyPurgeConfig struct {
	AccessKey  string       `json:"-"`
	HTTPClient *http.Client // nil means one with the transport of http.DefaultClient
}

// Format shows the fields of c that are set, without the key. It ignores the verb.
func (c BunnyPurgeConfig) Format(s fmt.State, _ rune) { redact.Fields(s, c, "AccessKey") }

type bunnyPurger struct {
	key string
	api *cdnapi.Client
}

// NewBunnyPurger returns a [Purger] that sends one request for each URL
// (https://docs.bunny.net/reference/purgepublic_indexpost), and at most 8 requests at a time. For a URL
// that ends in "/", Bunny also purges everything below it. It fails with InvalidArgument if a field of
// c is not valid.
//
// Purge fails with Unauthenticated or PermissionDenied if bunny.net refuses the API key, and with
// RateLimited if there are too many requests.
func NewBunnyPurger(c BunnyPurgeConfig) (Purger, error) {
	if !isValidToken(c.AccessKey) {
		return nil, invalidToken("Config.AccessKey")
	}
	return &bunnyPurger{c.AccessKey, cdnapi.New("bunny", c.HTTPClient)}, nil
}

// Format shows the name of the CDN and not the key.
func (p *bunnyPurger) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "{Bunny}") }

func (p *bunnyPurger) Purge(ctx context.Context, urls []string) error {
	return running.Each(ctx, len(urls), purgesAtOnce, func(ctx context.Context, i int) error {
		return p.purge(ctx, urls[i])
	})
}

// purge removes the response for one URL from the caches of Bunny.
func (p *bunnyPurger) purge(ctx context.Context, address string) error {
	// Parse fails unless address is a URL at a CDN.
	if _, err := p.api.Parse(address); err != nil {
		return err
	}

	target := "https://api.bunny.net/purge?url=" + escape.All(address)
	req, err := http.NewRequest(http.MethodPost, target, nil)
	if err != nil {
		return err
	}
	req.Header.Set("AccessKey", p.key)
	_, err = p.api.Do(ctx, req)
	return err
}
