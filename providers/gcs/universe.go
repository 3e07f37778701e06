package gcs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"strings"

	"cloud.google.com/go/auth"

	"github.com/omnibucket/storage"
)

// A universe is a cloud of Google's software with a domain, accounts and
// credentials of its own. Almost all credentials belong to this one.
const googleUniverse = "googleapis.com"

// universeOf returns the universe of a Config's credentials, as far as it is known
// without a request: as their file says, or as the environment does, by the names
// of Google's libraries.
func universeOf(c Config) string {
	file := c.CredentialsJSON
	if file == nil {
		if named := os.Getenv("GOOGLE_CLOUD_UNIVERSE_DOMAIN"); named != "" || c.TokenSource != nil {
			return cmp.Or(named, googleUniverse)
		}
		file, _ = os.ReadFile(os.Getenv("GOOGLE_APPLICATION_CREDENTIALS")) // a file that cannot be read is told by the first request
	}
	var f struct {
		Universe string `json:"universe_domain"`
	}
	_ = json.Unmarshal(file, &f) // a file that is not JSON is refused elsewhere
	return cmp.Or(f.Universe, googleUniverse)
}

// isOf reports whether the endpoint is a host of the universe: a region's, or that
// of a private network, too.
func isHostOf(universe string, u *url.URL) bool {
	host := u.Hostname()
	return u.Scheme == "https" && (host == universe || strings.HasSuffix(host, "."+universe))
}

// checkUniverse refuses to send credentials to another universe than their own.
// Those of a machine of Google's are known only now.
func (c *credentials) checkUniverse(ctx context.Context, found *auth.Credentials) error {
	if c.universe == "" || c.checked.Load() {
		return nil
	}
	own, err := found.UniverseDomain(ctx)
	switch {
	case err != nil:
		return tokenError(ctx, err)
	case own != c.universe:
		return &storage.Error{
			Code: storage.Unauthenticated,
			Err:  errors.New("the credentials belong to the universe " + own + ", the endpoint to " + c.universe),
			Hint: "set endpoint=https://storage." + own + ", or use credentials of " + c.universe,
		}
	}
	c.checked.Store(true)
	return nil
}
