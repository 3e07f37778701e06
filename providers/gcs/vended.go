package gcs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/auth"
	"golang.org/x/oauth2"
	"google.golang.org/api/googleapi"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/providers/internal/vended"
)

// PrefixCredentials are the credentials for all objects with a prefix, until they expire.
// [Config].CredentialsFor returns them.
type PrefixCredentials struct {
	Prefix      string    // a prefix of the requested key; "" means all objects
	AccessToken string    // usually a downscoped token
	Expires     time.Time // zero means never
}

// Format prints the fields of c that are set, without secrets. All verbs print the same text.
func (c PrefixCredentials) Format(s fmt.State, _ rune) { redact.Fields(s, c, "AccessToken") }

// LogValue returns the text of Format.
func (c PrefixCredentials) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// openVended opens a bucket whose credentials come from Config.CredentialsFor, each for the objects
// of one prefix.
func openVended(ctx context.Context, c Config) (driver.Driver, error) {
	if c.CredentialsJSON != nil || c.TokenSource != nil || c.Credentials != "" || c.Anonymous {
		return nil, argument.Invalid("Config.CredentialsFor", "must not be set with other credentials or Anonymous", "")
	}

	// Open the driver with any token source. Its credentials are replaced below.
	credentialsFor := c.CredentialsFor
	c.CredentialsFor = nil
	c.TokenSource = oauth2.StaticTokenSource(&oauth2.Token{})
	d, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	requestGrant := func(ctx context.Context, key string) (*vended.Grant[string], error) {
		creds, err := credentialsFor(ctx, key)
		if err != nil {
			return nil, err
		}
		if creds.AccessToken == "" {
			return nil, errors.New("CredentialsFor has returned no AccessToken")
		}
		return &vended.Grant[string]{
			Prefix:      creds.Prefix,
			Expires:     creds.Expires,
			Credentials: creds.AccessToken,
		}, nil
	}
	keys := vended.NewKeyring(requestGrant)

	// Replace the credentials by the tokens that the keyring requests.
	account := d.(*objectDriver).account
	account.isVended = true
	account.credentials.cached.Store(nil)
	account.credentials.find = func() (*auth.Credentials, error) {
		return auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: vendedTokens{keys}}), nil
	}
	return vended.New(d, keys), nil
}

type vendedTokens struct{ keys *vended.Keyring[string] }

// Token returns the token for the prefix of the request that ctx belongs to.
func (t vendedTokens) Token(ctx context.Context) (*auth.Token, error) {
	token, err := t.keys.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	return &auth.Token{Value: token}, nil
}

// Vended returns a function for [Config].CredentialsFor that gets credentials from vend.
// vend must return credentials that [storage.Vend] has returned in another program. The argument of
// vend is the name of an object or the prefix of a listing. vend must return when its context ends:
//
//	bucket, err := gcs.Open(ctx, gcs.Config{Bucket: "photos", CredentialsFor: gcs.Vended(vend)})
//
// If the credentials are for another provider, the returned function fails with InvalidArgument,
// and the operation that needed them fails with Unauthenticated.
func Vended(
	vend func(ctx context.Context, key string) (*storage.VendedCredentials, error),
) func(ctx context.Context, key string) (PrefixCredentials, error) {
	return func(ctx context.Context, key string) (PrefixCredentials, error) {
		creds, err := vend(ctx, key)
		if err != nil {
			return PrefixCredentials{}, err
		}
		if err := vended.CheckProvider(creds, provider); err != nil {
			return PrefixCredentials{}, err
		}
		return PrefixCredentials{Prefix: creds.Prefix, AccessToken: creds.Token, Expires: creds.Expires}, nil
	}
}

const vendingHint = "Vend needs credentials of Google's that are not vended themselves"

// canVend reports whether the account has tokens that Google's token service can restrict.
func (a *account) canVend() bool { return a.isGoogle() && a.credentials != nil && !a.isVended }

// Vend exchanges an access token for a token with a credential access boundary, which has fewer
// permissions. https://cloud.google.com/iam/docs/downscoping-short-lived-credentials
func (d *objectDriver) Vend(ctx context.Context, r *driver.VendRequest) (*storage.VendedCredentials, error) {
	return d.vend(ctx, r, time.Now())
}

// vend returns a downscoped token of Google's, which has only the rights of r; now is the time of
// the call.
// https://cloud.google.com/iam/docs/downscoping-short-lived-credentials
func (d *objectDriver) vend(
	ctx context.Context, r *driver.VendRequest, now time.Time,
) (*storage.VendedCredentials, error) {
	rules, err := boundaryRules(d.bucket.name, r)
	if err != nil {
		return nil, err
	}

	creds, err := d.account.credentials.get()
	if err != nil {
		return nil, err
	}
	token, _, err := d.account.credentials.token(ctx, creds)
	if err != nil {
		return nil, err
	}
	restricted, err := d.account.restrict(ctx, token.Value, rules)
	if err != nil {
		return nil, err
	}

	end := token.Expiry
	if restricted.Seconds > 0 {
		// Seconds is 0 unless the token is of a service account.
		end = now.Add(time.Duration(restricted.Seconds) * time.Second)
	}

	const margin = 10 * time.Second // permitted difference between Google's clock and this machine's
	isTooLong := end.IsZero() || end.After(now.Add(r.TTL+margin))
	if isTooLong {
		return nil, &storage.Error{
			Code: storage.Unsupported,
			Err:  errors.New("the token would be valid for longer than ttl"),
			Hint: "Google's tokens end with the token that they are made of, which usually is valid for an hour: " +
				"use a ttl of an hour or more",
		}
	}
	return &storage.VendedCredentials{Token: restricted.Token, Expires: end}, nil
}

// A boundaryRule is a rule of a credential access boundary. A token has the permissions that any of
// its rules grants. https://cloud.google.com/iam/docs/reference/sts/rest/v1/AccessBoundary
type boundaryRule struct {
	Resource    string            `json:"availableResource"`
	Permissions []string          `json:"availablePermissions"`
	Condition   boundaryCondition `json:"availabilityCondition"`
}

type boundaryCondition struct {
	Expression string `json:"expression"`
}

// maxExpression is the maximum number of characters in an expression.
const maxExpression = 2048

// boundaryRules returns the rules that grant the rights in r. No role of Google can remove objects
// without also storing them, so Remove requires Write, and replacing an object requires both.
// https://cloud.google.com/storage/docs/access-control/iam-roles
func boundaryRules(bucket string, r *driver.VendRequest) ([]boundaryRule, error) {
	resource := "projects/_/buckets/" + bucket
	rule := func(role, expression string) boundaryRule {
		return boundaryRule{
			Resource:    "//storage.googleapis.com/" + resource,
			Permissions: []string{"inRole:roles/storage." + role},
			Condition:   boundaryCondition{expression},
		}
	}

	// Limit objects by their names, and listings by the prefix that they request.
	nameCondition := "resource.name.startsWith(" + celText(resource+"/objects/"+r.Prefix) + ")"
	listCondition := "api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith(" + celText(r.Prefix) + ")"

	var rules []boundaryRule
	if r.Rights.Read {
		rules = append(rules, rule("legacyObjectReader", nameCondition))
	}
	if r.Rights.List {
		rules = append(rules, rule("legacyBucketReader", listCondition))
	}
	switch {
	case r.Rights.Write && r.Rights.Remove:
		rules = append(rules, rule("legacyBucketWriter", nameCondition))
	case r.Rights.Write:
		rules = append(rules, rule("objectCreator", nameCondition))
	case r.Rights.Remove:
		return nil, &storage.Error{
			Code: storage.Unsupported,
			Err:  errors.New("no role of Google only removes objects"),
			Hint: "vend Write and Remove together",
		}
	}

	if len(nameCondition) > maxExpression || len(listCondition) > maxExpression {
		return nil, argument.Invalid(
			"prefix",
			"must be shorter: Google's expressions have at most 2,048 characters",
			"",
		)
	}
	return rules, nil
}

// celText returns a text as a literal of the Common Expression Language.
// https://github.com/google/cel-spec/blob/master/doc/langdef.md#string-and-bytes-values
func celText(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// A restrictedToken is the response of the token service.
type restrictedToken struct {
	Token string `json:"access_token"`
	// Seconds is the time for which Token is valid. It is 0 if Token was made from the token of a
	// user. Both tokens then end at the same time.
	Seconds int `json:"expires_in"`
}

const (
	exchangeTimeout     = 20 * time.Second
	maxExchangeResponse = 64 << 10 // bytes
	accessToken         = "urn:ietf:params:oauth:token-type:access_token"
)

// restrict exchanges a token at Google's token service, by a request that has the token in its body
// and no Authorization header.
// https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
func (a *account) restrict(ctx context.Context, token string, rules []boundaryRule) (restrictedToken, error) {
	form, err := exchangeForm(token, rules)
	if err != nil {
		return restrictedToken{}, err
	}

	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	address := "https://sts." + cmp.Or(a.universe, googleUniverse) + "/v1/token"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return restrictedToken{}, &storage.Error{Code: storage.Internal, Err: err}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")

	// This client adds no Authorization header.
	resp, err := a.plainHTTP.Do(req)
	if err != nil {
		return restrictedToken{}, translate(err)
	}
	body := resp.Body
	defer func() { _ = body.Close() }()

	resp.Body = io.NopCloser(io.LimitReader(body, maxExchangeResponse))
	if err := googleapi.CheckResponse(resp); err != nil {
		return restrictedToken{}, exchangeError(err, token)
	}
	var restricted restrictedToken
	if err := json.NewDecoder(resp.Body).Decode(&restricted); err != nil || restricted.Token == "" {
		// Do not return the decoder's error, which could quote the token.
		return restrictedToken{}, &storage.Error{
			Code: storage.Internal,
			Err:  errors.New("the token service has returned no token"),
		}
	}
	return restricted, nil
}

// exchangeForm returns the body of the request that exchanges token for one with only the rights in
// rules, which Google calls an access boundary.
func exchangeForm(token string, rules []boundaryRule) (url.Values, error) {
	options, err := json.Marshal(map[string]any{"accessBoundary": map[string]any{"accessBoundaryRules": rules}})
	if err != nil {
		return nil, err
	}
	return url.Values{
		"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token_type":   {accessToken},
		"requested_token_type": {accessToken},
		"subject_token":        {token},
		"options":              {string(options)},
	}, nil
}

// exchangeError returns the error for a refused exchange, without the text of the response if that
// quotes the token.
func exchangeError(err error, token string) error {
	storageErr := translate(err)
	if strings.Contains(err.Error(), token) {
		storageErr.Err = errors.New("the token service refused the token")
	}
	// Requesting a token changes nothing in the store.
	storageErr.Unknown = false
	if storageErr.Status == http.StatusBadRequest || storageErr.Status == http.StatusUnauthorized {
		storageErr.Code = storage.Unauthenticated
		storageErr.Hint = "Google cannot restrict this token: it must be an access token with the scope " +
			"https://www.googleapis.com/auth/cloud-platform"
	}
	return storageErr
}
