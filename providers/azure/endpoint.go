package azure

import (
	"net"
	"net/url"
	"strings"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/address"
)

// accountInPath reports whether a URL must have the account's name in its path. On Azure, the first
// label of the host is the account's name.
func accountInPath(host string) bool {
	return host == "localhost" || net.ParseIP(host) != nil || !strings.Contains(host, ".")
}

// parseEndpoint returns the root URL of the blob service, and the account's name if the URL
// contains it. account is the name from the Config, or "". If the path has another name, which is
// probably a container's, parseEndpoint fails.
func parseEndpoint(endpoint, account string) (u *url.URL, name string, err error) {
	u, ok := address.Endpoint(endpoint)
	if !ok {
		return nil, "", argument.Invalid(
			"endpoint",
			"must be the root of the blob service, as https://account.blob.core.windows.net or http://127.0.0.1:10000/devstoreaccount1",
			"",
		)
	}

	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	host := strings.ToLower(u.Hostname())
	name = strings.TrimPrefix(u.Path, "/")
	switch {
	case accountInPath(host):
		// On an emulator, the account is the path.
		err = checkEmulatorPath(name)
	case name != "":
		err = checkGatewayPath(host, name, account)
	default:
		name, err = accountOfHost(host)
	}
	if err != nil {
		return nil, "", err
	}
	return u, name, nil
}

// checkEmulatorPath returns an error if the path of an emulator's URL, without the first slash, is not
// the name of an account.
func checkEmulatorPath(path string) error {
	if path == "" || strings.Contains(path, "/") {
		return argument.Invalid(
			"endpoint",
			"must end with the account's name, as http://127.0.0.1:10000/devstoreaccount1",
			"",
		)
	}
	return nil
}

// checkGatewayPath returns an error if the path of a URL that is not an emulator's cannot be the name of
// the account. Only a gateway may have the account in the path. account is the name from the Config,
// or "".
func checkGatewayPath(host, path, account string) error {
	isOtherAccount := account != "" && path != account
	if azureHost(host) || strings.Contains(path, "/") || isOtherAccount {
		return argument.Invalid(
			"endpoint",
			"must not have a path, except the account's name on a server that is not Azure: the container is not part of it",
			"",
		)
	}
	return nil
}

// accountOfHost returns the name of the account that a host of Azure contains, or "" for another host. It
// fails if the host is that of Data Lake.
func accountOfHost(host string) (string, error) {
	label, domain, _ := strings.Cut(host, ".")
	if strings.HasPrefix(domain, "dfs.") {
		return "", argument.Invalid("endpoint", "must be that of the blob service, not of Data Lake",
			"replace .dfs. by .blob. in its host")
	}
	beginsWithAccount := strings.HasPrefix(domain, "blob.") ||
		strings.HasPrefix(domain, "privatelink.blob.") ||
		strings.Contains(domain, ".blob.storage.")
	if !beginsWithAccount {
		return "", nil
	}
	// The replica of an account in another region has a host of its own.
	return strings.TrimSuffix(label, "-secondary"), nil
}
