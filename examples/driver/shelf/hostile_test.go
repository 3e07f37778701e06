package shelf

import (
	"strings"
	"testing"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/examples/driver/shelfserver"
	"github.com/omnibucket/storage/storagetest/hostile"
)

// hostileShelf returns a shelf server, whose responses a test can damage, and how a driver of it is opened.
func hostileShelf() hostile.Store {
	return hostile.Store{
		Server: shelfserver.New(),
		Open: func(_ *testing.T, address string) driver.Driver {
			return newDriver(strings.TrimPrefix(address, "http://"))
		},
	}
}

// The driver keeps its rules if a server sends damaged responses.
func TestHostileServers(t *testing.T) { hostile.Run(t, hostileShelf()) }

// The driver keeps its rules if a gateway's error page of any status replaces the response to a write, or if the
// connection is closed.
func TestHostileStatuses(t *testing.T) {
	s := hostileShelf()
	s.Statuses = true
	hostile.RunStatuses(t, s)
}
