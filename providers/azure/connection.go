package azure

import (
	"strings"

	"github.com/omnibucket/storage/internal/argument"
)

type connection struct{ name, key, sas, endpoint string }

// parseConnectionString parses "Name=value;…", the form that Azure's portal shows.
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
			if value == "true" {
				return &connection{name: emulatorAccount, key: emulatorKey, endpoint: emulatorEndpoint}, nil
			}
		}
	}

	switch {
	case c.endpoint == "" && c.name == "":
		return nil, argument.Invalid("connection string", "must have AccountName or BlobEndpoint", "")
	case c.key == "" && c.sas == "":
		return nil, argument.Invalid("connection string", "must have AccountKey or SharedAccessSignature", "")
	case c.endpoint == "":
		c.endpoint = protocol + "://" + c.name + ".blob." + suffix
	}
	if c.name == "" {
		_, c.name, _ = parseEndpoint(c.endpoint, "")
	}
	return c, nil
}
