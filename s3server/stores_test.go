package s3server_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/gatewaytest"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server"
)

const storeVariable = "OMNIBUCKET_S3SERVER_STORE"

// useStore puts the buckets of all tests where $OMNIBUCKET_S3SERVER_STORE says: "directory", "service" for a
// ServiceDriver of memstore, or "gateway" for one that seems far away.
func useStore(t *testing.T, c *s3server.Config) {
	t.Helper()
	if c.Service != nil || c.MaxBytes > 0 {
		return
	}
	switch os.Getenv(storeVariable) {
	case "directory":
		service, err := local.NewServiceDriver(t.TempDir(), local.Config{Now: c.Now, NoSync: true})
		require.NoError(t, err)
		t.Cleanup(func() { _ = service.Close() })
		c.Service = service
	case "service":
		c.Service = memstore.NewServiceDriver(memstore.ServiceConfig{Now: c.Now})
	case "gateway":
		c.Service = gateway{memstore.NewServiceDriver(memstore.ServiceConfig{Now: c.Now})}
	}
}

// noOrderOfIDs matches a test that memstore does not pass: its listings cannot continue after a
// version that was removed.
const noOrderOfIDs = "^TestListVersionsAfterMissingVersion$"

// onGateways matches the tests that run on a gateway, which has fewer features. Entity tags are
// those of the gateway's store, and objects that were uploaded in parts have no parts. Access lists
// of objects, encryption and lifecycle rules are NotImplemented.
const onGateways = "^Test(Attributes(OfObject|OfVersion)|BodiesInChunks|Bucket(Conformance|EncryptionRefused|Missing|ShowsObjects|Tags)|" +
	"CORS|Checksums$|ChecksumsOfParts|Complete|Conditions|Copy|CreateBucket$|CreateMultipartUpload|DefaultRetention|DeleteBucketOnly|DeleteObjects|" +
	"FaultNamesFailures|Form$|GetObjectRanges|HostNamesBucket|LegalHold|LifecycleRulesRefused|List(Buckets|Objects|Parts|Uploads)|" +
	"Locks(NeedVersioning|OfBucketWithoutLocks|Refused)|Notification(ConfigurationRefused|Destinations)|" +
	"Policy(ActionsAndResources|ConditionsOn|Decides|JudgesBatch|JudgesTags|OfWriteThatReads|Principals|Refused)|" +
	"PutObject|RequestsRefused|Retention(CanBe|Keeps)|Tags$|TagsRefused|UploadPartRefused)"

// ofDirectories matches the tests that start a server over a directory themselves.
const ofDirectories = "^TestDirectory"

// The tests of this package pass with a server over a directory.
func TestDirectoryPassesTestsOfPackage(t *testing.T) {
	testserver.Further(t)
	runOnStore(t, "directory", ".", ofDirectories)
}

// The tests of this package pass on a server over the service of memstore. Some of them also pass on a gateway to a
// remote service.
func TestFurtherStoresPassTheTestsOfThisPackage(t *testing.T) {
	testserver.Further(t)
	t.Run("service", func(t *testing.T) {
		testserver.Nightly(t, "make layers")
		runOnStore(t, "service", ".", ofDirectories, noOrderOfIDs)
	})
	t.Run("gateway", func(t *testing.T) {
		runOnStore(t, "gateway", onGateways, ofDirectories)
	})
}

// listInternalTests matches the tests inside package s3server. They know nothing of another store, so
// the other process would only repeat them.
func listInternalTests(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("*_internal_test.go")
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, matches := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			names = append(names, string(matches[1]))
		}
	}
	require.NotEmpty(t, names)
	return "^(" + strings.Join(names, "|") + ")$"
}

// runOnStore runs the tests of this package in another process, which keeps its buckets in a store.
func runOnStore(t *testing.T, store, run string, skipped ...string) {
	t.Helper()
	if os.Getenv(storeVariable) != "" {
		t.Skip("this process is the other one")
	}
	t.Parallel()
	skipped = append(skipped, listInternalTests(t))
	command := exec.Command(os.Args[0], "-test.run", run, "-test.skip", strings.Join(skipped, "|"))
	command.Env = append(os.Environ(), storeVariable+"="+store)
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// The tests for gateways pass with a server over a remote service.
func TestGatewayOverDistantService(t *testing.T) {
	gatewaytest.Run(t, gateway{memstore.NewServiceDriver(memstore.ServiceConfig{})}, gatewaytest.Lacks{})
}

// A gateway hides what only stores on this machine have: private objects, and metadata that is set
// at the end of a body. It also hides that the store is local.
type gateway struct{ driver.ServiceDriver }

func (g gateway) Driver(name string) (driver.Driver, error) {
	d, err := g.ServiceDriver.Driver(name)
	return distant{d}, err
}

// A distant store describes itself as a store in the cloud, and hides features that clouds usually
// lack.
type distant struct{ driver.Driver }

// Describe hides three abilities: the driver is local, it can set metadata at the end of a body, and it can stream a
// put.
func (d distant) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Provider = "cloud"
	desc.Local = false
	desc.Features &^= driver.LateMetadata | driver.StreamingPut
	return desc
}
