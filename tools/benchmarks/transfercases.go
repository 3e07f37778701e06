package main

import (
	"fmt"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azureblobs "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	transfertypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"

	"github.com/omnibucket/storage/tools/benchmarks/nullazure"
	"github.com/omnibucket/storage/tools/benchmarks/nullserver"
	"github.com/omnibucket/storage/tools/benchmarks/record"
)

const (
	oursSmall = ours + ", 32 MiB of buffers"
	ours6     = ours + ", 6 at once"
	ours14    = ours + ", 14 at once"
	ours16    = ours + ", 16 at once"
	oursAgain = ours + ", the second time"
)

func oursAt(concurrency int) string { return fmt.Sprintf("%s, %d at once", ours, concurrency) }

const againTitle = "upload 64 MiB of unknown length ten times over TLS; figures are of all ten"

// uploadCases returns the cases that compare uploads of one large object, or of several at once, with the
// SDKs and other libraries.
func uploadCases() []clientCase {
	s3Near := []contender{s3Ours, s3Unknown, s3Plain, s3Manager, s3Parts, s3Minio}
	azureDefault := azureSDK(azureUpload, nil)
	return []clientCase{
		{
			provider: amazon,
			name:     "upload-stream",
			title:    "upload 256 MiB of unknown length; " + farTitle,
			server:   far,
			do:       uploadStream,
			amount:   large,
			contenders: []contender{
				s3Ours, s3Unknown, amazon.ours(oursSmall, tuning{memory: 32 * mebibyte}),
				s3Manager, s3Parts, s3GoCloud, s3Minio.onlyOnce(), s3Thanos.onlyOnce(),
			},
			goals: []goal{
				faster(ours, sdkManager, 2), faster(ours, transferManager, 2), memoryAtMost(ours, 70*mebibyte),
				faster(oursUnknown, ours, 0.95), memoryAtMost(oursUnknown, 70*mebibyte),
				faster(oursSmall, sdkManager, 1.15), memoryAtMost(oursSmall, 42*mebibyte),
			},
		},
		{
			provider: amazon,
			name:     "upload-in-place",
			title:    "upload 256 MiB of an io.ReaderAt; " + farTitle,
			server:   far,
			do:       uploadReaderAt,
			amount:   large,
			contenders: slices.Concat(
				[]contender{
					s3Ours, s3Unknown, amazon.ours(ours16, tuning{concurrency: 16}), s3Manager, s3Parts, s3Minio,
					s3GoCloud,
				},
				programs(),
			),
			goals: []goal{
				faster(ours, sdkManager, 2),
				faster(ours, transferManager, 2), faster(oursUnknown, ours, 0.95), memoryAtMost(ours, 10*mebibyte),
				faster(ours16, sdkManager, 2.5), memoryAtMost(ours16, 10*mebibyte),
			},
		},
		s3Streams(
			"upload-32-near", "TLS, nothing in the way", nearTLS, faster(ours, sdkManager, 1),
			faster(oursUnknown, sdkManager, 1),
		),
		// The server is slow for each connection, so a client with more connections is faster. This
		// library has 48 MiB of memory for all uploads together. The memory suffices for nine parts
		// at the same time, on nine connections. The other libraries use five connections for each
		// upload.
		s3Streams("upload-32-far", farTitle, far, faster(ours, sdkManager, 0.4), faster(oursUnknown, sdkManager, 0.4)),
		{
			provider:   amazon,
			name:       "upload-near",
			title:      "upload 1 GiB of an io.ReaderAt over TLS, nothing in the way",
			server:     nearTLS,
			do:         uploadReaderAt,
			amount:     4 * large,
			contenders: s3Near,
			goals: []goal{
				lessCPU(ours, plainHTTP, 1.2), lessCPU(ours, sdkManager, 0.95),
				lessCPU(oursUnknown, plainHTTP, 1.2), lessCPU(oursUnknown, sdkManager, 0.95),
			},
		},
		{
			provider:   amazon,
			name:       "upload-near-plain",
			title:      "the same over plain http",
			server:     nearPlain,
			do:         uploadReaderAt,
			amount:     4 * large,
			contenders: s3Near,
			goals:      []goal{lessCPU(ours, sdkManager, 0.45)},
		},
		encryptedUpload("upload-encrypted", "an io.ReaderAt", 12*mebibyte, uploadReaderAt),
		encryptedUpload("upload-encrypted-stream", "unknown length", 85*mebibyte, uploadStream),
		{
			provider:   google,
			name:       "upload-stream",
			title:      "upload 64 MiB of unknown length; " + farTitle,
			server:     far,
			do:         uploadStream,
			amount:     64 * mebibyte,
			contenders: []contender{gcsOurs, gcsRaw, gcsSDK(rawGCSLarge, gcsChunks(8*mebibyte)), gcsGoCloud},
			// Google accepts chunks only one after the other, so no client can be much faster. This
			// library holds two chunks: one is sent while the other is read.
			goals: []goal{requestsAtMost(ours, 9), memoryAtMost(ours, 20*mebibyte), faster(ours, rawGCS, 0.95)},
		},
		{
			provider:   google,
			name:       "upload-again",
			title:      againTitle,
			server:     nearTLS,
			do:         uploadAgain,
			contenders: []contender{gcsOurs, gcsSDK(rawGCSLarge, gcsChunks(8*mebibyte))},
			goals:      []goal{bytesAtMost(10e6)},
		},
		{
			provider:   microsoft,
			name:       "upload-again",
			title:      againTitle,
			server:     nearTLS,
			do:         uploadAgain,
			contenders: []contender{azureOurs, azureDefault},
			goals:      []goal{bytesAtMost(10e6)},
		},
		{
			provider:   microsoft,
			name:       "upload-64",
			title:      "upload 64 MiB of unknown length; " + farTitle,
			server:     far,
			do:         uploadStream,
			amount:     64 * mebibyte,
			contenders: []contender{azureOurs, azureDefault, azureGoCloud},
			goals:      []goal{requestsAtMost(ours, 9), faster(ours, azureUpload, 1)},
		},
		{
			provider: microsoft,
			name:     "upload-stream",
			title:    "upload 256 MiB of unknown length; " + farTitle,
			server:   far,
			do:       uploadStream,
			amount:   large,
			contenders: []contender{
				azureOurs, azureDefault, azureSDK(azureUploadBest, azureStream(nil)),
				azureSDK(azureUploadChecked, azureStream(azureblobs.TransferValidationTypeComputeCRC64())),
				azureGoCloud,
			},
			// The store verifies the content only for this library and for the contender with
			// CRC64.
			goals: []goal{
				faster(ours, azureUpload, 1.4), memoryAtMost(ours, 74*mebibyte),
				faster(ours, azureUploadChecked, 1), lessMemory(ours, azureUploadChecked, 0.5),
			},
		},
	}
}

// s3Streams returns a case with several uploads at the same time. In this library they share one
// BufferLimit. The other libraries cannot limit the memory of all uploads together.
func s3Streams(name, where string, server *nullserver.Options, goals ...goal) clientCase {
	const memory = 48 * mebibyte
	return clientCase{
		provider: amazon,
		name:     name,
		server:   server,
		do:       uploadStreams,
		amount:   streams * 32 * mebibyte,
		title: fmt.Sprintf(
			"%d uploads at the same time, of 32 MiB and unknown length, ours with a BufferLimit of %s; %s", streams,
			record.Size(memory), where,
		),
		contenders: []contender{
			amazon.ours(ours, tuning{memory: memory}), unknown.ours(oursUnknown, tuning{memory: memory}), s3Manager,
			s3Parts,
		},
		goals: append(goals, lessMemory(ours, sdkManager, 0.1), lessCPU(ours, sdkManager, 0.7),
			lessMemory(oursUnknown, sdkManager, 0.1), lessCPU(oursUnknown, sdkManager, 0.7)),
	}
}

// downloadCases returns the cases that compare downloads of one large object with the SDKs and other
// libraries.
func downloadCases() []clientCase {
	s3Ranges := s3TransferManager(transferRanges, transfertypes.GetObjectRanges)
	s3Near := []contender{s3Ours, s3SDK(rawUnchecked, sdkUnchecked), s3Raw, s3Minio}

	inOrder := func(stream, head string) []goal {
		return []goal{
			faster(ours6, stream, 4), memoryAtMost(ours6, 36*mebibyte), noRequest(ours6, head),
			faster(ours14, stream, 7), memoryAtMost(ours14, 70*mebibyte), noRequest(ours14, head),
		}
	}

	return []clientCase{
		{
			provider: amazon,
			name:     "download-in-order",
			title:    "read 256 MiB from an io.Reader, in order; " + farTitle,
			server:   far,
			do:       download,
			amount:   large,
			contenders: []contender{
				s3Ours, s3Unknown, amazon.ours(ours6, tuning{concurrency: 6}),
				amazon.ours(ours14, tuning{concurrency: 14}),
				s3SDK(rawStream, sdk),
				s3Ranges, s3Parts.onlyOnce(), s3Minio.onlyOnce(), s3GoCloud.onlyOnce(),
			},
			goals: append(
				inOrder(rawStream, "HeadObject"), faster(ours, transferRanges, 2), faster(oursUnknown, ours, 0.95),
				memoryAtMost(ours, 128*mebibyte),
			),
		},
		{
			provider: amazon,
			name:     "download-file",
			title:    "download 256 MiB to a file; " + farTitle,
			server:   far,
			do:       downloadFile,
			amount:   large,
			contenders: slices.Concat(
				[]contender{
					s3Ours, s3Ours.again(oursAgain, large), s3Unknown, amazon.ours(ours16, tuning{concurrency: 16}),
					s3Manager, s3Ranges, s3Minio.onlyOnce(),
				},
				programs(),
			),
			goals: []goal{
				faster(ours, sdkManager, 2),
				faster(ours, transferRanges, 2), faster(oursUnknown, ours, 0.95), memoryAtMost(ours, 10*mebibyte),
				faster(oursAgain, sdkManager, 2.2), memoryAtMost(oursAgain, 10*mebibyte),
				faster(ours16, sdkManager, 2.5), memoryAtMost(ours16, 10*mebibyte),
			},
		},
		{
			provider: amazon,
			name:     "download-link",
			title:    "download 256 MiB to a file; " + farTitle + ", 1 Gbit/s in all",
			server:   farLink,
			do:       downloadFile,
			amount:   large,
			contenders: []contender{
				s3Ours, amazon.ours(oursAt(2), tuning{concurrency: 2}), amazon.ours(oursAt(3), tuning{concurrency: 3}),
				amazon.ours(oursAt(4), tuning{concurrency: 4}), amazon.ours(oursAt(8), tuning{concurrency: 8}),
				amazon.ours(ours16, tuning{concurrency: 16}), s3Manager,
			},
			goals: []goal{
				within(oursAt(2), 1.1), within(oursAt(3), 1.1), within(oursAt(4), 1.1), within(oursAt(8), 1.1),
				within(ours16, 1.1),
			},
		},
		{
			provider: amazon,
			name:     "download-neighbour",
			title:    "feature/s3/manager downloads 256 MiB to a file while the other downloads the same again and again; " + farTitle + ", 1 Gbit/s in all",
			server:   farLink,
			do:       downloadFile,
			amount:   large,
			contenders: []contender{
				s3Ours.beside(s3Manager), amazon.ours(ours16, tuning{concurrency: 16}).beside(s3Manager),
				s3Manager.beside(s3Manager),
			},
			goals: []goal{within(sdkManager, 1.1)},
		},
		{
			provider:   amazon,
			name:       "download-near",
			title:      "read 1 GiB with its CRC32C verified over TLS, nothing in the way",
			server:     nearTLS,
			do:         download,
			amount:     4 * large,
			contenders: s3Near,
			goals:      []goal{lessCPU(ours, rawUnchecked, 1.1), requestsAtMost(ours, 2), memoryAtMost(ours, 2*mebibyte)},
		},
		{
			provider:   amazon,
			name:       "download-near-plain",
			title:      "the same over plain http",
			server:     nearPlain,
			do:         download,
			amount:     4 * large,
			contenders: s3Near,
			goals:      []goal{lessCPU(ours, rawUnchecked, 1.3), requestsAtMost(ours, 2), memoryAtMost(ours, 2*mebibyte)},
		},
		{
			provider: microsoft,
			name:     "download",
			title: fmt.Sprintf("read 256 MiB in order from an io.Reader, or into %s of memory; %s", record.Size(large),
				farTitle),
			server: far,
			do:     download,
			amount: large,
			contenders: []contender{
				microsoft.ours(ours6, tuning{concurrency: 6}),
				microsoft.ours(ours14, tuning{concurrency: 14}), azureSDK(azureDownload, nil),
				azureBuffered(azureBuffer, nil),
				azureBuffered(azureBufferParallel, &azblob.DownloadBufferOptions{Concurrency: 14}),
				azureGoCloud.onlyOnce(),
			},
			goals: append(inOrder(azureDownload, nullazure.GetBlobProperties), faster(ours14, azureBufferParallel, 1)),
		},
	}
}
