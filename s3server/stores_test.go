package s3server_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server"
)

const storeVariable = "OMNIBUCKET_S3SERVER_STORE"

// onStore puts the buckets of all tests where $OMNIBUCKET_S3SERVER_STORE says: "directory", or
// "service" for that of memstore.
func onStore(t *testing.T, c *s3server.Config) {
	t.Helper()
	if c.Service != nil || c.Driver != nil || c.MaxBytes > 0 || c.FolderOrder {
		return
	}
	switch os.Getenv(storeVariable) {
	case "directory":
		service, err := local.NewServiceDriver(t.TempDir(), local.ServiceConfig{Now: c.Now, NoSync: true})
		require.NoError(t, err)
		t.Cleanup(func() { _ = service.Close() })
		c.Service = service
	case "service":
		c.Service = memstore.NewServiceDriver(memstore.ServiceConfig{Now: c.Now})
	}
}

// The tests of this package pass on the other stores, too. These are different there.
const (
	noSuspending  = "^TestSuspendedVersioning$"                   // a driver keeps versions or does not
	noLoneMarkers = "^TestDeleteMarkersExpire$"                   // a delete marker ends with the version that it hides
	noOrderOfIDs  = "^TestAListingContinuesAfterAMissingVersion$" // a listing of memstore cannot
)

// objectsRemember: the object itself tells which upload has made it.
const objectsRemember = "^TestOnlyTheLatestCompletionsAreRemembered$"

func TestTheOtherStoresPassTheTestsOfThisPackage(t *testing.T) {
	if os.Getenv(storeVariable) != "" {
		t.Skip("this test runs the others")
	}
	for store, skipped := range map[string][]string{
		"directory": {noSuspending, noLoneMarkers, objectsRemember},
		"service":   {noSuspending, noLoneMarkers, objectsRemember, noOrderOfIDs},
	} {
		t.Run(store, func(t *testing.T) {
			command := exec.Command(os.Args[0], "-test.skip", strings.Join(skipped, "|"))
			command.Env = append(os.Environ(), storeVariable+"="+store)
			output, err := command.CombinedOutput()
			require.NoError(t, err, "%s", output)
		})
	}
}
