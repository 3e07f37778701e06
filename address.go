package storage

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/internal/core/scope"
	"github.com/omnibucket/storage/internal/redact"
)

// packageOf maps a scheme to the package of this module that registers it. If an address has such a
// scheme and the program does not import the package, the hint of the error says to import it.
var packageOf = map[string]string{
	"mem":    "github.com/omnibucket/storage/memstore",
	"file":   "github.com/omnibucket/storage/providers/local",
	"s3":     "github.com/omnibucket/storage/providers/s3",
	"gs":     "github.com/omnibucket/storage/providers/gcs",
	"azblob": "github.com/omnibucket/storage/providers/azure",
}

// A parsedAddress is an address whose form is valid.
type parsedAddress struct {
	url    *url.URL
	opener Opener       // opens addresses of this scheme
	opts   []OpenOption // options of the address's parameters, followed by the caller's options
	prefix string       // value of prefix=, or ""
}

// parseAddress parses an address. Its parameters become options, to which opts are appended.
func parseAddress(address string, opts []OpenOption) (*parsedAddress, error) {
	u, opener, err := openerOf(address)
	if err != nil {
		return nil, err
	}
	if err := checkParams(u, opener.Params); err != nil {
		return nil, err
	}
	common, err := commonParams(u)
	if err != nil {
		return nil, err
	}
	prefix, err := prefixParam(u.Query())
	if err != nil {
		return nil, err
	}
	return &parsedAddress{
		url:    u,
		opener: opener,
		opts:   append(common, opts...),
		prefix: prefix,
	}, nil
}

// prefixParam returns the value of prefix=, or "" if the address has none.
func prefixParam(query url.Values) (string, error) {
	if !query.Has("prefix") {
		return "", nil
	}
	prefix := query.Get("prefix")
	if prefix == "" {
		err := invalid("parameter prefix", "must not be empty")
		err.Hint = "leave it out to open the whole bucket"
		return "", err
	}

	if rule := prefixRule(prefix); rule != "" {
		return "", invalid("parameter prefix", rule)
	}
	return prefix, nil
}

// openBucket opens the bucket of the address or, if the address has prefix=, a view of the keys with that prefix.
func (a *parsedAddress) openBucket(ctx context.Context) (Bucket, error) {
	b, err := a.opener.Bucket(ctx, a.url, a.opts)
	if err != nil {
		return nil, err
	}
	if b == nil || a.prefix == "" {
		return b, nil
	}

	f, err := frontOf(b, "parameter prefix", "")
	if err != nil {
		return nil, err
	}
	view := f.view(scope.Scope{Prefix: a.prefix, Mask: scope.Everything})
	// Nobody else has the whole bucket. So Close of the view must close the Core, as Close of the whole
	// bucket would.
	view.owner = f.closes()
	return view, nil
}

// openService opens the account of the address.
func (a *parsedAddress) openService(ctx context.Context) (Service, error) {
	return a.opener.Service(ctx, a.url, a.opts)
}

// openerOf parses an address, all but its parameters, and returns its URL and the Opener of its
// scheme.
func openerOf(address string) (*url.URL, Opener, error) {
	if address == "" {
		return nil, Opener{}, invalid("address", "must not be empty")
	}
	u, err := url.Parse(address)
	if err != nil {
		// The error of url.Parse quotes the address, which may hold a secret.
		return nil, Opener{}, invalid(
			"address",
			"must be a URL, such as mem://name or file:///path, with its parts escaped",
		)
	}

	// Find the opener of the scheme.
	registry.RLock()
	opener, ok := registry.openers[u.Scheme]
	schemes := slices.Sorted(maps.Keys(registry.openers))
	registry.RUnlock()
	if u.Scheme == "" {
		return nil, Opener{}, invalid("address", "must begin with a scheme; known are: "+strings.Join(schemes, ", "))
	}
	if !ok {
		return nil, Opener{}, unknownScheme(u.Scheme, schemes)
	}

	// Refuse parts of a URL that an address cannot have.
	hasCredentials := u.User != nil
	if hasCredentials {
		return nil, Opener{}, invalid("address", "must not hold credentials; they come from the provider's own chain")
	}
	if u.Fragment != "" {
		return nil, Opener{}, invalid("address", `must not have a fragment; escape "#" as %23`)
	}
	return u, opener, nil
}

// unknownScheme returns the error for a scheme that is not one of the known, registered ones.
func unknownScheme(name string, known []string) *Error {
	err := invalid(
		"address",
		fmt.Sprintf("has scheme %s; known are: %s", redact.Quoted(name), strings.Join(known, ", ")),
	)
	err.Hint = "import the package that registers the scheme"
	if path, isOurs := packageOf[name]; isOurs {
		err.Hint = fmt.Sprintf("import _ %q, which registers the scheme", path)
	}
	return err
}

// commonParameters has the names of the parameters that every address accepts.
var commonParameters = []string{
	"public", "public_base_url", "signing_base_url", "versions", "object_lock", "part_size", "prefix",
}

// checkParams refuses a parameter of u that occurs twice, or that neither the scheme nor every address
// accepts. params has those of the scheme.
func checkParams(u *url.URL, params []string) error {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return invalid("address", "has a query that cannot be read")
	}
	names := slices.Sorted(slices.Values(slices.Concat(params, commonParameters)))
	for name, values := range query {
		if !slices.Contains(names, name) {
			return invalid(
				"address",
				fmt.Sprintf("has parameter %s; known to %s are: %s", redact.Quoted(name), u.Scheme,
					strings.Join(names, ", ")),
			)
		}
		if len(values) > 1 {
			return invalid("address", "has parameter "+redact.Quoted(name)+" more than once")
		}
	}
	return nil
}

// commonParams turns the parameters that every address accepts, except prefix, into options.
func commonParams(u *url.URL) ([]OpenOption, error) {
	var opts []OpenOption
	query := u.Query()

	// A parameter with the value true selects its option.
	flags := []struct {
		name   string
		option OpenOption
	}{
		{"public", WithPublicAccess(true)},
		{"versions", WithVersioning(true)},
		{"object_lock", WithObjectLock()},
	}
	for _, flag := range flags {
		isSet, err := boolParam(query, flag.name)
		if err != nil {
			return nil, err
		}
		if isSet {
			opts = append(opts, flag.option)
		}
	}

	// The other parameters have a value.
	if query.Has("part_size") {
		size, err := strconv.ParseInt(query.Get("part_size"), 10, 64)
		if err != nil {
			return nil, invalid("address", "has a parameter part_size that is not a number of bytes")
		}
		opts = append(opts, WithDefaultPartSize(size))
	}
	if query.Has("public_base_url") {
		opts = append(opts, WithPublicBaseURL(query.Get("public_base_url")))
	}
	if query.Has("signing_base_url") {
		opts = append(opts, WithSigningBaseURL(query.Get("signing_base_url")))
	}
	return opts, nil
}

// boolParam returns the value of a parameter that is true or false, and false if the address does not
// have it.
func boolParam(query url.Values, name string) (bool, error) {
	if !query.Has(name) {
		return false, nil
	}
	switch query.Get(name) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, invalid("address", "has a parameter "+name+" that is neither true nor false")
	}
}
