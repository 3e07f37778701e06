package shelf

import (
	"strings"
	"testing"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/examples/driver/shelfserver"
	"github.com/omnibucket/storage/storagetest/hostile"
)

func hostileShelf() hostile.Store {
	return hostile.Store{
		Server: shelfserver.New(),
		Open: func(_ *testing.T, address string) driver.Driver {
			return newDriver(strings.TrimPrefix(address, "http://"))
		},
	}
}

func TestHostileServers(t *testing.T) { hostile.Run(t, hostileShelf()) }

func TestHostileStatuses(t *testing.T) {
	s := hostileShelf()
	s.Statuses = true
	hostile.RunStatuses(t, s)
}
