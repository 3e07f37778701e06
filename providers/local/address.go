package local

import (
	"context"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/omnibucket/storage"
)

func init() {
	storage.Register("file", storage.Opener{
		Params:  []string{"create", "sync"},
		Driver:  openBucket,
		Service: openService,
	})
}

func openBucket(_ context.Context, address *url.URL) (storage.Driver, error) {
	path, c, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	return NewDriver(path, c)
}

func openService(_ context.Context, address *url.URL) (storage.ServiceDriver, error) {
	path, c, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	return NewServiceDriver(path, ServiceConfig{Create: c.Create, NoSync: c.NoSync})
}

func parseAddress(address *url.URL) (path string, c Config, err error) {
	const form = "an address is file:///absolute/path: three slashes; a relative path is for local.Open"
	switch {
	case address.Opaque != "" || address.Path == "":
		return "", c, invalid("address", "must have an absolute path", form)
	case address.Host != "" && address.Host != "localhost":
		return "", c, invalid("address", "must not have a host, and has "+address.Host, form)
	case address.User != nil:
		return "", c, invalid("address", "must not hold a user", "")
	case strings.IndexByte(address.Path, 0) >= 0:
		return "", c, invalid("address", "must not hold a NUL", "")
	}
	query := address.Query()
	create, err := parseFlag(query, "create", false)
	if err != nil {
		return "", c, err
	}
	sync, err := parseFlag(query, "sync", true)
	if err != nil {
		return "", c, err
	}
	return pathOf(address.Path, runtime.GOOS == "windows"), Config{Create: create, NoSync: !sync}, nil
}

func parseFlag(query url.Values, name string, otherwise bool) (bool, error) {
	if !query.Has(name) {
		return otherwise, nil
	}
	switch query.Get(name) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, invalid("parameter "+name, `must be "true" or "false"`, "")
}

// pathOf is the system's path: on Windows, /C:/data is C:\data.
func pathOf(path string, windows bool) string {
	if windows && len(path) >= 3 && path[0] == '/' && path[2] == ':' {
		path = path[1:]
	}
	return filepath.FromSlash(path)
}
