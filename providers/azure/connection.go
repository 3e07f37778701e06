package azure

import (
	"strings"

	"github.com/omnibucket/storage/internal/argument"
)

type connection struct{ name, key, sas, endpoint string }

// parseConnectionString parses the connection string that Azure's portal shows, "Name=value;…",
// which names an account and its credential.
func parseConnectionString(text string) (*connection, error) {
	c := &connection{}
	protocol := "https"
	suffix := "core.windows.net"

	for pair := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok && name != "" {
			return nil, argument.Invalid("connection string", "must be Name=value pairs separated by semicolons", "")
		}

		switch strings.ToLower(name) {
		case "defaultendpointsprotocol":
			protocol = value
		case "endpointsuffix":
			suffix = value
		case "accountname":
			c.name = value
		case "accountkey":
			c.key = value
		case "sharedaccesssignature":
			c.sas = strings.TrimPrefix(value, "?")
		case "blobendpoint":
			c.endpoint = value
		case "usedevelopmentstorage":
			// This single pair stands for the emulator's well-known account.
			if value == "true" {
				return &connection{name: emulatorAccount, key: emulatorKey, endpoint: emulatorEndpoint}, nil
			}
		}
	}

	if c.endpoint == "" && c.name == "" {
		return nil, argument.Invalid("connection string", "must have AccountName or BlobEndpoint", "")
	}
	if c.key == "" && c.sas == "" {
		return nil, argument.Invalid("connection string", "must have AccountKey or SharedAccessSignature", "")
	}
	if c.endpoint == "" {
		c.endpoint = protocol + "://" + c.name + ".blob." + suffix
	}

	// The endpoint may contain the account's name.
	if c.name == "" {
		_, c.name, _ = parseEndpoint(c.endpoint, "")
	}
	return c, nil
}

// fits reports whether the credential in a connection string may be used at endpoint. If the filter does
// not accept a shared access signature, the endpoint may receive one only if the connection string names
// the endpoint.
func (c *connection) fits(filter credentialFilter, endpoint string) bool {
	if !filter.acceptsAccount(c.name) {
		return false
	}
	if c.sas == "" || filter.acceptsSAS {
		return true
	}
	return endpoint == "" || strings.TrimRight(endpoint, "/") == strings.TrimRight(c.endpoint, "/")
}
