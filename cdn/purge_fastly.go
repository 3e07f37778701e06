package cdn

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/cdnapi"
	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/internal/running"
)

// purgesAtOnce is the largest number of concurrent requests to an API that accepts one URL in each
// request.
const purgesAtOnce = 8

// A FastlyConfig has a token of Fastly with the scope purge_select.
type FastlyConfig struct {
	Token      string       `json:"-"`
	Soft       bool         // marks objects as stale, so that Fastly may serve them while the origin is slow or down
	HTTPClient *http.Client // nil means one with the transport of http.DefaultClient
}

// Format shows the fields of c that are set, without the token. It ignores the verb.
func (c FastlyConfig) Format(s fmt.State, _ rune) { redact.Fields(s, c, "Token") }

type fastlyPurger struct {
	token string
	soft  bool
	api   *cdnapi.Client
}

// NewFastlyPurger returns a [Purger] that sends one request for each URL, and at most 8 requests at a
// time. All requests go to api.fastly.com, so that no other host receives the token
// (https://www.fastly.com/documentation/reference/api/purging/). It fails with InvalidArgument if a
// field of c is not valid.
//
// Purge fails with Unauthenticated or PermissionDenied if the token is refused, and with RateLimited if
// there are too many requests.
func NewFastlyPurger(c FastlyConfig) (Purger, error) {
	if !isValidToken(c.Token) {
		return nil, invalidToken("Config.Token")
	}
	return &fastlyPurger{c.Token, c.Soft, cdnapi.New("fastly", c.HTTPClient)}, nil
}

// Format shows the name of the CDN and not the token.
func (p *fastlyPurger) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "{Fastly}") }

func (p *fastlyPurger) Purge(ctx context.Context, urls []string) error {
	return running.Each(ctx, len(urls), purgesAtOnce, func(ctx context.Context, i int) error {
		return p.purge(ctx, urls[i])
	})
}

// purge purges one URL.
func (p *fastlyPurger) purge(ctx context.Context, address string) error {
	u, err := p.api.Parse(address)
	if err != nil {
		return err
	}

	target := "https://api.fastly.com/purge/" + u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		target += "?" + u.RawQuery
	}

	req, err := http.NewRequest(http.MethodPost, target, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Fastly-Key", p.token)
	req.Header.Set("Accept", "application/json")
	if p.soft {
		req.Header.Set("Fastly-Soft-Purge", "1")
	}

	body, err := p.api.Do(ctx, req)
	if err != nil {
		return err
	}

	var answer struct{ Status string }
	err = json.Unmarshal(body, &answer)
	if err != nil {
		return p.api.Refused(storage.Unavailable, "the response is no JSON")
	}
	if answer.Status != "ok" {
		return p.api.Refused(storage.Internal, "the API reported a failure")
	}
	return nil
}

// isValidToken reports whether token may be the value of a header.
func isValidToken(token string) bool {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] >= 0x7F {
			return false
		}
	}
	return token != ""
}

func invalidToken(name string) error {
	return argument.Invalid(name, "must not be empty, and have only visible ASCII characters", "")
}
