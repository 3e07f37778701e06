package cdn

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/cdnapi"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/redact"
)

// maxCloudflareURLs is the largest number of URLs in one request. All plans of Cloudflare permit
// that many.
// https://developers.cloudflare.com/cache/how-to/purge-cache/
const maxCloudflareURLs = 100

// A CloudflareConfig names a zone of Cloudflare, and has a token with the permission Cache Purge.
type CloudflareConfig struct {
	ZoneID     string
	Token      string       `json:"-"`
	HTTPClient *http.Client // nil means one with the transport of http.DefaultClient
}

// Format shows the fields of c that are set, without the token. It ignores the verb.
func (c CloudflareConfig) Format(s fmt.State, _ rune) { redact.Fields(s, c, "Token") }

type cloudflarePurger struct {
	address, token string
	api            *cdnapi.Client
}

// NewCloudflarePurger returns a [Purger] that purges by URL, in requests of at most 100 URLs
// (https://developers.cloudflare.com/api/resources/cache/methods/purge/). It fails with InvalidArgument
// if a field of c is not valid.
//
// Purge fails with Unauthenticated or PermissionDenied if the token is refused, and with RateLimited if
// there are too many requests.
func NewCloudflarePurger(c CloudflareConfig) (Purger, error) {
	if c.ZoneID == "" || escape.All(c.ZoneID) != c.ZoneID {
		return nil, argument.Invalid("Config.ZoneID", "must be the id of a zone, of letters and digits", "")
	}
	if !isValidToken(c.Token) {
		return nil, invalidToken("Config.Token")
	}
	address := "https://api.cloudflare.com/client/v4/zones/" + c.ZoneID + "/purge_cache"
	return &cloudflarePurger{address, c.Token, cdnapi.New("cloudflare", c.HTTPClient)}, nil
}

// Format shows the name of the CDN and not the token.
func (p *cloudflarePurger) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "{Cloudflare}") }

// Purge checks all URLs before it sends the first request. It implements [Purger].
func (p *cloudflarePurger) Purge(ctx context.Context, urls []string) error {
	for _, address := range urls {
		if _, err := p.api.Parse(address); err != nil {
			return err
		}
	}

	for batch := range slices.Chunk(urls, maxCloudflareURLs) {
		if err := p.purge(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// purge purges at most maxCloudflareURLs URLs with one request.
func (p *cloudflarePurger) purge(ctx context.Context, urls []string) error {
	content, err := json.Marshal(map[string][]string{"files": urls})
	if err != nil {
		return err
	}

	req, err := http.NewRequest(http.MethodPost, p.address, bytes.NewReader(content))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	req.Header.Set("Content-Type", "application/json")

	body, err := p.api.Do(ctx, req)
	if err != nil {
		return err
	}

	var answer struct {
		Success bool                         `json:"success"`
		Errors  []struct{ Code json.Number } `json:"errors"`
	}
	err = json.Unmarshal(body, &answer)
	if err != nil {
		return p.api.Refused(storage.Unavailable, "the response is no JSON")
	}
	if answer.Success {
		return nil
	}

	reason := "the API reported a failure"
	for _, apiErr := range answer.Errors {
		reason += " " + apiErr.Code.String()
	}
	return p.api.Refused(storage.Internal, reason)
}
