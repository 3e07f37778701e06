package local

import (
	"context"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/providers/internal/address"
)

func init() {
	engine.Register("file", driver.Opener{
		Params:  []string{"create", "sync", "mode", "sidecars"},
		Driver:  openBucket,
		Service: openService,
	})
}

// openBucket opens the driver of a bucket at an address of the form file:///path.
func openBucket(_ context.Context, address *url.URL) (driver.Driver, error) {
	path, config, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	return NewDriver(path, config)
}

// openService opens the driver of a service at an address of the form file:///path.
func openService(_ context.Context, address *url.URL) (driver.ServiceDriver, error) {
	path, config, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	return NewServiceDriver(path, config)
}

// parseAddress returns the path and the configuration in an address. It fails with InvalidArgument if
// the address or a parameter is not valid.
func parseAddress(u *url.URL) (path string, c Config, err error) {
	const form = "write file:///absolute/path, with three slashes; for a relative path, use local.Open"
	if u.Opaque != "" || u.Path == "" {
		return "", c, argument.Invalid("address", "must have an absolute path", form)
	}
	if u.Host != "" && u.Host != "localhost" {
		return "", c, argument.Invalid("address", "must not have a host, but has "+u.Host, form)
	}
	if u.User != nil {
		return "", c, argument.Invalid("address", "must not have a user", "")
	}
	if strings.IndexByte(u.Path, 0) >= 0 {
		return "", c, argument.Invalid("address", "must not have a NUL byte", "")
	}

	query := u.Query()
	create, err := address.Flag(query, "create", false)
	if err != nil {
		return "", c, err
	}
	sync, err := address.Flag(query, "sync", true)
	if err != nil {
		return "", c, err
	}
	sidecars, err := address.Flag(query, "sidecars", false)
	if err != nil {
		return "", c, err
	}

	mode, err := parseMode(query)
	if err != nil {
		return "", c, err
	}

	path = localfile.FromURL(u.Path, runtime.GOOS == "windows")
	c = Config{Create: create, NoSync: !sync, FileMode: mode, Sidecars: sidecars}
	return path, c, nil
}

// parseMode returns the file permissions of mode= in an address, or 0 if the address has
// no such parameter.
func parseMode(query url.Values) (os.FileMode, error) {
	if !query.Has("mode") {
		return 0, nil
	}
	text := query.Get("mode")
	mode, err := strconv.ParseUint(text, 8, 32)
	if err != nil || mode == 0 || mode > 0o777 {
		return 0, argument.Invalid("mode", "must be permissions in octal, but is "+strconv.Quote(text),
			"write mode=0640")
	}
	return os.FileMode(mode), nil
}
