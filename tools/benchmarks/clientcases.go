package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	transfertypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"gocloud.dev/blob/memblob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/tools/benchmarks/record"
)

const (
	oursKnown   = ours + ", of known length"
	oursUnknown = ours + ", no profile"

	objects     = 1000
	memoryLimit = 32 * mebibyte
	busy        = 20 * time.Millisecond
)

var (
	// These contenders use S3. The first is this library with its defaults.
	s3Ours    = amazon.ours(ours, tuning{})
	s3Unknown = unknown.ours(oursUnknown, tuning{})
	s3Raw     = s3SDK(rawSDK, sdk)
	s3Manager = contender{name: sdkManager, open: openManager}
	s3Parts   = s3TransferManager(transferManager, transfertypes.GetObjectParts)
	s3Minio   = contender{name: minioGo, open: openMinio}
	s3GoCloud = goCloudContender(goCloudS3, openS3Blob)
	s3Thanos  = contender{name: objstoreS3, open: openObjstore}
	s3Plain   = contender{name: plainHTTP, open: openPlain}

	gcsOurs    = google.ours(ours, tuning{})
	gcsRaw     = gcsSDK(rawGCS, gcsDefaults)
	gcsGoCloud = goCloudContender(goCloudGCS, openGCSBlob)

	azureOurs    = microsoft.ours(ours, tuning{})
	azureRaw     = azureSDK(rawAzure, nil)
	azureGoCloud = goCloudContender(goCloudAzure, openAzureBlob)
)

func clientCases() []clientCase {
	return slices.Concat(
		smallCases(), randomCases(), listCases(), signCases(), manyCases(), uploadCases(), downloadCases(),
		growthTransfers(), growthJobs(),
	)
}

// smallCases returns the cases that compare uploads and downloads of 1 KiB with the SDKs and other
// libraries.
func smallCases() []clientCase {
	s3All := []contender{s3Ours, s3Unknown, s3Raw, s3Manager, s3Parts, s3Minio, s3GoCloud, s3Thanos, s3Plain}
	s3Goals := []goal{
		allocationsOver(ours, rawSDK, 3), allocations(120), lessCPU(ours, rawSDK, 0.5),
		allocationsAtMost(oursUnknown, 120), lessCPU(oursUnknown, rawSDK, 0.5),
	}

	// The writer of the SDK never knows the length of a body. For a fair comparison, this library
	// does not get it either.
	gcsPut := []contender{
		google.ours(ours, tuning{stream: true}), named(oursKnown, gcsOurs), gcsRaw,
		gcsSDK(rawGCSSmall, gcsChunks(256<<10)), gcsSDK(rawGCSOnce, gcsOneRequest), gcsGoCloud,
	}

	azureAll := []contender{azureOurs, azureRaw, azureGoCloud}
	// The SDK of Azure neither verifies a checksum of what it receives nor stores one.
	azureGoals := []goal{requestsAtMost(ours, 1), allocationsOver(ours, goCloudAzure, 5)}

	const (
		s3Put = "put 1 KiB that is in memory, "
		s3Get = "get 1 KiB into a buffer, its checksum verified by ours and by the SDK's, "
	)

	return []clientCase{
		{
			provider:   amazon,
			name:       "put-1k",
			title:      s3Put + "over TLS",
			server:     nearTLS,
			do:         putSmall,
			contenders: s3All,
			goals:      s3Goals,
		},
		{
			provider:   amazon,
			name:       "get-1k",
			title:      s3Get + "over TLS",
			server:     nearTLS,
			do:         getSmall,
			contenders: s3All,
			goals:      s3Goals,
		},
		// These cases use plain http, because without TLS the SDK sends checksums in another form.
		{
			provider:   amazon,
			name:       "put-1k-plain",
			title:      s3Put + "over plain http",
			server:     nearPlain,
			do:         putSmall,
			contenders: s3All,
			goals:      s3Goals,
		},
		{
			provider:   amazon,
			name:       "get-1k-plain",
			title:      s3Get + "over plain http",
			server:     nearPlain,
			do:         getSmall,
			contenders: s3All,
			goals:      s3Goals,
		},
		{
			provider:   google,
			name:       "put-1k",
			title:      "put 1 KiB that comes from an io.Reader, over TLS",
			server:     nearTLS,
			do:         putSmall,
			contenders: gcsPut,
			goals: []goal{
				bytesAtMost(500e3), requestsAtMost(ours, 1), requestsAtMost(oursKnown, 1),
				allocationsOver(ours, rawGCS, 0),
				lessCPU(ours, rawGCS, 1),
			},
		},
		{
			provider:   google,
			name:       "get-1k",
			title:      "get 1 KiB into a buffer, its checksum verified, over TLS",
			server:     nearTLS,
			do:         getSmall,
			contenders: []contender{gcsOurs, gcsRaw, gcsGoCloud},
			goals:      []goal{requestsAtMost(ours, 1), allocationsOver(ours, rawGCS, 3), lessCPU(ours, rawGCS, 1)},
		},
		{
			provider:   microsoft,
			name:       "put-1k",
			title:      "put 1 KiB that is in memory, ours with checksums, over TLS",
			server:     nearTLS,
			do:         putSmall,
			contenders: azureAll,
			goals:      azureGoals,
		},
		{
			provider:   microsoft,
			name:       "get-1k",
			title:      "get 1 KiB into a buffer, its checksum verified by ours, over TLS",
			server:     nearTLS,
			do:         getSmall,
			contenders: azureAll,
			goals:      azureGoals,
		},
	}
}

// randomCases returns the cases that compare reads of pieces of an object with the SDKs.
func randomCases() []clientCase {
	return []clientCase{
		{
			provider: amazon,
			name:     "read-at",
			title:    "open an object and read 100 adjacent pieces of 64 bytes with ReadAt, 20 ms a request",
			server:   farLatency,
			do:       readAdjacent(100, 64),
			// This library makes one request for the attributes, and one for the block that
			// contains all pieces.
			contenders: []contender{s3Ours, s3Raw.onlyOnce(), s3Minio.onlyOnce()},
			goals:      []goal{requestsAtMost(ours, 2), asFast(rawSDK, 20)},
		},
		{
			provider: amazon,
			name:     "read-ranges",
			server:   farLatency,
			do:       readRanges(10, 10, 8*kilobyte),
			title:    "read 100 ranges of 8 KiB in ten groups, with gaps of 8 KiB in a group, 20 ms a request; the SDK makes 16 requests at once",
			// This library reads each group of ranges with one request.
			contenders: []contender{s3Ours, s3Raw.onlyOnce()},
			goals:      []goal{requestsAtMost(ours, 10), asFast(rawSDK, 2.5)},
		},
	}
}

// listCases returns the cases that compare listings with the SDKs and other libraries.
func listCases() []clientCase {
	const title = "list keys with their sizes, in pages of 1,000, over plain http; figures are of one key"
	gcsFields := gcsSDK(rawGCSFields, gcsDefaults, "Name", "Size", "Etag", "MD5", "Generation", "Created", "StorageClass")
	return []clientCase{
		{
			provider:   amazon,
			name:       "list",
			title:      title,
			server:     nearPlain,
			do:         listKeys,
			contenders: []contender{s3Ours, s3Raw, s3Minio, s3GoCloud, s3Thanos},
			goals:      []goal{allocations(6), bytesAtMost(250), lessCPU(ours, rawSDK, 0.25)},
		},
		{
			provider:   amazon,
			name:       "list-ahead",
			server:     farLatency,
			do:         listPages(1000, busy),
			title:      fmt.Sprintf("list 10,000 keys, 20 ms a request, and %v of the caller's own for each thousand", busy),
			contenders: []contender{s3Ours, s3Raw, s3Minio},
			goals:      []goal{within(rawSDK, 0.6)},
		},
		{
			provider:   amazon,
			name:       "list-ahead-steady",
			server:     farLatency,
			do:         listPages(100, busy/10),
			title:      fmt.Sprintf("list 10,000 keys, 20 ms a request, and %v of the caller's own for each hundred", busy/10),
			contenders: []contender{s3Ours, s3Raw, s3Minio},
			goals:      []goal{within(rawSDK, 0.7)},
		},
		{
			provider:   google,
			name:       "list",
			title:      title,
			server:     nearPlain,
			do:         listKeys,
			contenders: []contender{gcsOurs, gcsRaw, gcsFields, gcsGoCloud},
			goals:      []goal{allocationsOver(ours, rawGCSFields, 3), lessCPU(ours, rawGCSFields, 1.25)},
		},
		{
			provider:   microsoft,
			name:       "list",
			title:      title,
			server:     nearPlain,
			do:         listKeys,
			contenders: []contender{azureOurs, azureRaw, azureGoCloud},
			goals:      []goal{allocationsOver(ours, rawAzure, 3), lessCPU(ours, rawAzure, 1.25)},
		},
	}
}

// signCases returns the cases that compare the signing of URLs with the SDKs.
func signCases() []clientCase {
	const title = "sign a URL for a download, valid for an hour"
	return []clientCase{
		{
			provider:   amazon,
			name:       "sign-get",
			title:      title,
			do:         signURLs(1),
			contenders: []contender{s3Ours, s3Raw, s3Minio},
			goals:      []goal{asFast(rawSDK, 5), asFast(rawSDK, 20), allocationsAtMost(ours, 6)},
		},
		{
			provider: google,
			name:     "sign-get",
			title:    title + ", with a service account's key",
			do:       signURLs(1),
			contenders: []contender{
				gcsOurs,
				{name: rawGCS, open: openSDKSigner},
				{name: plainRSA, open: openRSASigner},
			},
			goals: []goal{lessCPU(ours, plainRSA, 1.1)},
		},
		{
			provider:   microsoft,
			name:       "sign-get",
			title:      title + ", with the account's key",
			do:         signURLs(1),
			contenders: []contender{azureOurs, azureRaw},
			goals:      []goal{asFast(rawAzure, 1), lessCPU(ours, rawAzure, 0.7), allocationsAtMost(ours, 10)},
		},
		{
			name:  "sign-1000",
			title: "sign 1,000 URLs for downloads, such as a page of images needs",
			do:    signURLs(1000),
			contenders: []contender{
				signer(
					"memory",
					func(_ *env, base storage.OpenOption) (storage.Bucket, error) { return memstore.New(base), nil },
				),
				signer("local", openLocalSigner),
				signer("s3", amazon.openSigner), signer("gcs", google.openSigner),
				signer("azure", microsoft.openSigner),
			},
		},
	}
}

func signer(name string, open func(*env, storage.OpenOption) (storage.Bucket, error)) contender {
	return contender{
		name: name,
		open: func(e *env, _ string) (client, error) {
			b, err := open(e, storage.WithSigningBaseURL("https://files.example.com/"))
			return tuning{}.client(b), err
		},
	}
}

func (p *provider) openSigner(e *env, _ storage.OpenOption) (storage.Bucket, error) {
	return p.open(e.ctx, p.address)
}

func openLocalSigner(e *env, base storage.OpenOption) (storage.Bucket, error) {
	dir, err := e.dir()
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "bucket")
	if err := os.Mkdir(dir, 0o777); err != nil {
		return nil, err
	}
	return local.Open(dir, local.Config{}, base)
}

// manyCases returns the cases that compare the heap during many uploads at the same time.
func manyCases() []clientCase {
	// perConnection is the memory that a goal permits for the connection of an upload. A connection
	// of net/http takes about 16 KiB, with a request and its goroutines.
	const perConnection = 32 << 10 // bytes
	title := fmt.Sprintf("%d uploads of 1 KiB and unknown length, all in progress at the same time, ", objects)
	return []clientCase{
		{
			name:   "uploads-1000",
			title:  title + fmt.Sprintf("parts of 5 MiB, a BufferLimit of %s", record.Size(memoryLimit)),
			do:     uploadMany,
			amount: objects,
			heap:   true,
			contenders: []contender{
				{
					name: ours,
					open: func(*env, string) (client, error) {
						return tuning{}.client(
							memstore.New(driver.WithLayer(likeS3),
								storage.WithBufferLimit(&storage.BufferLimit{Max: memoryLimit})),
						), nil
					},
				},
				goCloudContender(
					goCloudMem,
					func(context.Context, string) (goCloud, error) { return goCloud{bucket: memblob.OpenBucket(nil)}, nil },
				),
			},
			goals: []goal{heapAtMost("the buffers", memoryLimit)},
		},
		{
			// With its default, the SDK's writer would take 16 MiB for each upload, 16 GB in total.
			// Most machines have less memory.
			provider: google,
			name:     "uploads-1000",
			title:    title + fmt.Sprintf("over plain http, ours with a BufferLimit of %s", record.Size(memoryLimit)),
			server:   nearPlain,
			do:       uploadMany,
			amount:   objects,
			heap:     true,
			contenders: []contender{
				google.ours(ours, tuning{memory: memoryLimit}), gcsSDK(rawGCSSmall, gcsChunks(256<<10)),
			},
			goals: []goal{
				heapAtMost(
					fmt.Sprintf("the buffers and %s for each connection", record.Size(perConnection)),
					memoryLimit+objects*perConnection,
				),
			},
		},
	}
}

func named(name string, c contender) contender {
	c.name = name
	return c
}
