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
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/address"
)

// A universe is a cloud that runs Google's software, with its own domain, accounts and
// credentials. Almost all credentials belong to googleUniverse.
const googleUniverse = "googleapis.com"

// universeOf returns the universe of a Config's credentials, as far as it is known without a
// request. The content of a credentials file in c names the universe, or else
// GOOGLE_CLOUD_UNIVERSE_DOMAIN, or else the file in GOOGLE_APPLICATION_CREDENTIALS.
func universeOf(c Config) string {
	if c.CredentialsJSON != nil {
		return universeOfFile(c.CredentialsJSON)
	}
	if name := os.Getenv("GOOGLE_CLOUD_UNIVERSE_DOMAIN"); name != "" {
		return name
	}
	if c.TokenSource != nil {
		return googleUniverse // a token does not name its universe
	}

	// Without a file, the universe is Google's. The first request returns an error of the file.
	content, _ := os.ReadFile(os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"))
	return universeOfFile(content)
}

// universeOfFile returns the universe that a credentials file with this content names, or Google's.
func universeOfFile(content []byte) string {
	var file struct {
		Universe string `json:"universe_domain"`
	}
	_ = json.Unmarshal(content, &file) // newCredentials refuses a file that is not JSON
	return cmp.Or(file.Universe, googleUniverse)
}

// isHostOf reports whether the endpoint is a host of the universe, including
// regional and private hosts.
func isHostOf(universe string, u *url.URL) bool {
	host := u.Hostname()
	return u.Scheme == "https" && (host == universe || strings.HasSuffix(host, "."+universe))
}

// isGoogle reports whether the requests go to Google, and not to a server with the same API.
func (a *account) isGoogle() bool { return a.endpoint == nil || isHostOf(a.universe, a.endpoint) }

// checkUniverse fails if the credentials do not belong to the universe of the endpoint, which is a cloud
// with its own domain, such as googleapis.com. It is called before the first token is requested, because
// the universe of a machine's credentials is not known earlier.
func (c *credentials) checkUniverse(ctx context.Context, creds *auth.Credentials) error {
	if c.universe == "" || c.checked.Load() {
		return nil
	}
	universe, err := creds.UniverseDomain(ctx)
	if err != nil {
		return tokenError(ctx, err)
	}
	if universe != c.universe {
		return &storage.Error{
			Code: storage.Unauthenticated,
			Err:  errors.New("the credentials belong to the universe " + universe + ", the endpoint to " + c.universe),
			Hint: "set endpoint=https://storage." + universe + ", or use credentials of " + c.universe,
		}
	}
	c.checked.Store(true)
	return nil
}

// resolveEndpoint sets the endpoint and the universe. Without an endpoint in c, it is the emulator of
// STORAGE_EMULATOR_HOST, or else the server of the universe. It stays nil for Google's own server.
func (a *account) resolveEndpoint(c Config) error {
	endpoint := c.Endpoint
	if endpoint == "" {
		endpoint = emulatorEndpoint()
		a.emulator = endpoint != ""
	}

	// A universe is a cloud with its own domain, which the credentials name.
	a.universe = googleUniverse
	if !c.Anonymous && !a.emulator {
		a.universe = universeOf(c)
	}
	if endpoint == "" {
		if a.universe == googleUniverse {
			return nil
		}
		endpoint = "https://storage." + a.universe
	}

	server, ok := address.Endpoint(endpoint)
	if !ok || strings.Trim(server.Path, "/") != "" {
		return argument.Invalid(
			"endpoint",
			"must be the server's root, as https://host or http://host:port, without a path",
			"",
		)
	}
	a.endpoint = &url.URL{Scheme: server.Scheme, Host: server.Host}
	return a.limitCredentials(c)
}

// limitCredentials makes the account anonymous if the endpoint must not receive its credentials. The
// emulator receives none, and another server receives none from the environment, unless it is a host
// of their universe or of Google. It fails if the endpoint is Google's and the credentials are not.
func (a *account) limitCredentials(c Config) error {
	if a.emulator {
		a.anonymous = true
	}
	if a.anonymous {
		return nil
	}

	if isHostOf(googleUniverse, a.endpoint) {
		if a.universe == googleUniverse {
			return nil
		}
		return argument.Invalid(
			"endpoint", "must belong to the universe of the credentials, "+a.universe,
			"omit the endpoint, or set it to https://storage."+a.universe,
		)
	}

	// The credentials in a Config are meant for its server, but those of the environment may be meant for
	// Google only.
	isFromEnvironment := c.CredentialsJSON == nil && c.TokenSource == nil
	if isFromEnvironment && !isHostOf(a.universe, a.endpoint) {
		a.anonymous = true
	}
	return nil
}

// emulatorEndpoint returns the URL of the server in STORAGE_EMULATOR_HOST, or "".
func emulatorEndpoint() string {
	host := os.Getenv("STORAGE_EMULATOR_HOST")
	if host == "" || strings.Contains(host, "://") {
		return host
	}
	return "http://" + host
}

// root returns the server's URL without a slash at its end.
func (a *account) root() string {
	if a.endpoint == nil {
		return "https://storage.googleapis.com"
	}
	return a.endpoint.String()
}
