package azure_test

import (
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/wiretest"
)

func TestADownloadResumesWhereTheConnectionWasCut(t *testing.T) {
	s := needAzurite(t)
	wiretest.ResumedDownload(t, s.root(), s.openAt(t))
}

func TestADownloadIsNeverSplicedOfTwoRevisions(t *testing.T) {
	s := needAzurite(t)
	wiretest.UnsplicedDownload(t, s.root(), s.openAt(t))
}

const emulatorPath = "/devstoreaccount1" // the account's

func (s *azuriteServer) root() string { return strings.TrimSuffix(s.endpoint, emulatorPath) }

// openAt opens a container at the emulator, or at a proxy before it.
func (s *azuriteServer) openAt(t *testing.T) wiretest.OpenAt {
	name := s.container(t)
	return func(root string, opts ...storage.OpenOption) storage.Bucket {
		there := *s
		there.endpoint = root + emulatorPath
		return there.open(t, name, opts...)
	}
}
