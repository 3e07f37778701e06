package shelf

import (
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/examples/driver/shelfserver"
	"github.com/omnibucket/storage/storagetest/hostile"
)

// knownHostileFailures are the rows that fail. There should be none.
var knownHostileFailures = map[string]string{
	"a login page":                  "D103",
	"a login page without a length": "D103",
	"an empty JSON object":          "D103",
	"another XML document":          "D103",
	"nothing":                       "D103",
	"an encoding that nobody asked for/Download of a range": "D103",
}

func TestHostileServers(t *testing.T) {
	hostile.Run(t, hostile.Store{
		Server: shelfserver.New(),
		Open: func(_ *testing.T, address string) storage.Driver {
			return newDriver(strings.TrimPrefix(address, "http://"))
		},
		Skip: knownHostileFailures,
	})
}
