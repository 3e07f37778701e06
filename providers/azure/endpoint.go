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
	label, domain, _ := strings.Cut(host, ".")
	name = strings.TrimPrefix(u.Path, "/")

	// On an emulator, the account is the path.
	if accountInPath(host) {
		if name == "" || strings.Contains(name, "/") {
			return nil, "", argument.Invalid(
				"endpoint",
				"must end with the account's name, as http://127.0.0.1:10000/devstoreaccount1",
				"",
			)
		}
		return u, name, nil
	}
	if name != "" {
		// Only an emulator or a gateway may have the account in the path.
		isOtherAccount := account != "" && name != account
		if azureHost(host) || strings.Contains(name, "/") || isOtherAccount {
			return nil, "", argument.Invalid(
				"endpoint",
				"must not have a path, except the account's name on a server that is not Azure: the container is not part of it",
				"",
			)
		}
		return u, name, nil
	}

	// Without a path, the account can only be in the host.
	if strings.HasPrefix(domain, "dfs.") {
		return nil, "", argument.Invalid("endpoint", "must be that of the blob service, not of Data Lake",
			"replace .dfs. by .blob. in its host")
	}
	beginsWithAccount := strings.HasPrefix(domain, "blob.") ||
		strings.HasPrefix(domain, "privatelink.blob.") ||
		strings.Contains(domain, ".blob.storage.")
	if beginsWithAccount {
		// The replica of an account in another region has a host of its own.
		return u, strings.TrimSuffix(label, "-secondary"), nil
	}
	return u, "", nil
}
