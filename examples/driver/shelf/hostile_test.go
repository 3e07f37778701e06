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
	"another size after a cut":                              "D134",
	"an error body that trickles":                           "D135",
	"an error body of 1 GiB":                                "D104",
	"an error body of 1 GiB in JSON":                        "D104",
	"a document without an end":                             "D104",
	"status 499 after the effect":                           "D152",
	"status 507 after the effect":                           "D152",
	"status 520 after the effect":                           "D152",
	"status 524 after the effect":                           "D152",
	"status 530 after the effect":                           "D152",
	"status 598 after the effect":                           "D152",
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
