//go:build !race || omnibucket_sdks

// To build the SDKs of the stores for the race detector takes longer than all tests of this package. "make
// race" does that, and tools/scripts/tests runs these tests without it.

package lease_test

import (
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/freshbucket"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/lease"
)

// s3Address returns a function that makes a bucket on a server of S3, and returns its address. The variable has the
// endpoint of the server, and two others with its name as a prefix have the key and the secret.
func s3Address(profile, variable string) func(t *testing.T) string {
	return func(t *testing.T) string {
		endpoint := testserver.Need(t, variable)
		t.Setenv("AWS_ACCESS_KEY_ID", os.Getenv(variable+"_KEY"))
		t.Setenv("AWS_SECRET_ACCESS_KEY", os.Getenv(variable+"_SECRET"))
		return freshbucket.Address(t, "s3", url.Values{
			"region":     {"us-east-1"},
			"path_style": {"true"},
			"profile":    {profile},
			"endpoint":   {endpoint},
		})
	}
}

var servers = []struct {
	name    string
	address func(t *testing.T) string
}{
	{name: "minio", address: s3Address("minio", "OMNIBUCKET_TEST_MINIO")},
	{name: "versitygw", address: s3Address("versitygw", "OMNIBUCKET_TEST_VERSITYGW")},
	{
		name: "gcs",
		address: func(t *testing.T) string {
			return freshbucket.Address(t, "gs", url.Values{
				"anonymous": {"true"},
				"project":   {"project"},
				"endpoint":  {testserver.Need(t, "OMNIBUCKET_TEST_GCS")},
			})
		},
	},
	{
		name: "azurite",
		address: func(t *testing.T) string {
			endpoint := testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")
			account := os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT")
			t.Setenv("AZURE_STORAGE_ACCOUNT", account)
			t.Setenv("AZURE_STORAGE_KEY", os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY"))
			return freshbucket.Address(t, "azblob", url.Values{"account": {account}, "endpoint": {endpoint}})
		},
	},
}

// holdOnce acquires the lease in a new process, and records that. The process then releases the lease, or dies and
// loses it.
func holdOnce(t *testing.T, bucket storage.Bucket, checker *holderChecker, dies bool) error {
	process := newProcess(t, bucket)
	overAtOnce := lease.WithInterval(time.Nanosecond)
	l, err := lease.Acquire(t.Context(), process.bucket, key, lease.WithTTL(2*time.Second), overAtOnce)
	if err != nil {
		return err
	}
	checker.begin(l)

	if dies {
		process.die()
		<-l.Context().Done()
	}
	_ = l.Release() // fails if the lease is lost
	return nil
}

// No token comes twice while processes acquire the lease again and again, and some die, however
// slow the machine is.
func TestLeaseHasOneHolderOnServers(t *testing.T) {
	const workers, rounds = 4, 4
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			address := server.address(t)
			checker := &holderChecker{t: t, realTime: true} // fails the test if tokens do not grow
			var group sync.WaitGroup
			for worker := range workers {
				bucket, err := storage.Open(t.Context(), address)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })

				group.Go(func() {
					for round := range rounds {
						dies := round == worker // once for each worker
						if err := holdOnce(t, bucket, checker, dies); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			group.Wait()

			// Each worker was the holder in each round.
			require.Equal(t, workers*rounds, checker.holders)
		})
	}
}
