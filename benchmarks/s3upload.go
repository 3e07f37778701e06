package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/minio/minio-go/v7"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/benchmarks/nullserver"
)

const (
	mebibyte = 1 << 20
	large    = 256 * mebibyte

	oursSmall   = ours + ", 32 MiB of Memory"
	plainHTTP   = "net/http"
	atOnce      = 32 // streams
	manyThreads = 16
)

type (
	// A mover moves so many bytes in one operation.
	mover = func(ctx context.Context, bytes int64) error
	// A sender uploads a body of so many bytes.
	sender = func(ctx context.Context, body io.Reader, bytes int64) error
)

// zeros are a body: it costs a copy of what it delivers, and no memory.
type zeros struct{}

var zeroBlock [mebibyte]byte

func (zeros) ReadAt(p []byte, _ int64) (n int, _ error) {
	for n < len(p) {
		n += copy(p[n:], zeroBlock[:])
	}
	return n, nil
}

// inPlace is a body of known length that can be read anywhere.
func inPlace(bytes int64) *io.SectionReader { return io.NewSectionReader(zeros{}, 0, bytes) }

// flowing is a body that tells nothing but its bytes.
func flowing(bytes int64) io.Reader { return struct{ io.Reader }{inPlace(bytes)} }

// sent are uploads of a body that each operation makes anew.
func sent(body func(int64) io.Reader, open func(ctx context.Context, server string) (sender, error)) func(context.Context, string) (mover, error) {
	return func(ctx context.Context, server string) (mover, error) {
		send, err := open(ctx, server)
		return func(ctx context.Context, bytes int64) error { return send(ctx, body(bytes), bytes) }, err
	}
}

func asReader(bytes int64) io.Reader { return inPlace(bytes) }

const uploaded = "uploaded"

// sendOurs is by default where an argument is 0.
func sendOurs(concurrency int, memory int64) func(context.Context, string) (sender, error) {
	return func(ctx context.Context, server string) (sender, error) {
		var opened []storage.OpenOption
		upload := []storage.UploadOption{storage.WithContentType(contentType)}
		if memory > 0 {
			opened = append(opened, storage.WithMemory(storage.NewMemory(memory)))
		}
		if concurrency > 0 {
			upload = append(upload, storage.WithConcurrency(concurrency))
		}
		b, err := ownS3(ctx, server, opened...)
		return func(ctx context.Context, body io.Reader, _ int64) error {
			_, err := b.Upload(ctx, uploaded, body, upload...)
			return err
		}, err
	}
}

func sendTransferManager(_ context.Context, server string) (sender, error) {
	client := transfermanager.New(sdk(server))
	return func(ctx context.Context, body io.Reader, _ int64) error {
		_, err := client.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: aws.String(s3Bucket), Key: aws.String(uploaded), Body: body})
		return err
	}, nil
}

func sendMinio(known bool) func(context.Context, string) (sender, error) {
	return func(_ context.Context, server string) (sender, error) {
		client, err := minioClient(server)
		return func(ctx context.Context, body io.Reader, size int64) error {
			if !known {
				size = -1
			}
			_, err := client.PutObject(ctx, s3Bucket, uploaded, body, size, minio.PutObjectOptions{})
			return err
		}, err
	}
}

func sendGoCloud(ctx context.Context, server string) (sender, error) {
	s, err := goCloudBucket(ctx, server)
	return func(ctx context.Context, body io.Reader, _ int64) error { return s.upload(ctx, uploaded, body) }, err
}

func sendObjstore(_ context.Context, server string) (sender, error) {
	s, err := objstoreBucket(server)
	return func(ctx context.Context, body io.Reader, _ int64) error { return s.upload(ctx, uploaded, body) }, err
}

// sendPlain is what sending cannot do without: one request, unsigned.
func sendPlain(_ context.Context, server string) (sender, error) {
	client := &http.Client{}
	return func(ctx context.Context, body io.Reader, size int64) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPut, server+"/"+s3Bucket+"/"+uploaded, body)
		if err != nil {
			return err
		}
		request.ContentLength = size
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, response.Body)
		return errors.Join(err, response.Body.Close())
	}, nil
}

// manyAtOnce shares the bytes among so many streams that are under way at once.
func manyAtOnce(open func(context.Context, string) (mover, error)) func(context.Context, string) (mover, error) {
	return func(ctx context.Context, server string) (mover, error) {
		move, err := open(ctx, server)
		return func(ctx context.Context, bytes int64) error {
			errs := make([]error, atOnce)
			var all sync.WaitGroup
			for i := range atOnce {
				all.Go(func() { errs[i] = move(ctx, bytes/atOnce) })
			}
			all.Wait()
			return errors.Join(errs...)
		}, err
	}
}

func uploadCases() []transferCase {
	cases := []transferCase{
		{
			name: "s3-upload-stream", title: "upload 256 MiB of unknown length; " + farTitle,
			server: far, bytes: large,
			rows: []transferRow{
				{name: ours, open: sent(flowing, sendOurs(0, 0))},
				{name: oursSmall, open: sent(flowing, sendOurs(0, 32*mebibyte))},
				{name: sdkManager, open: sent(flowing, sendManager)},
				{name: transferManager, open: sent(flowing, sendTransferManager)},
				{name: goCloudS3, open: sent(flowing, sendGoCloud)},
				{name: minioGo, once: true, open: sent(flowing, sendMinio(false))},
				{name: objstoreS3, once: true, open: sent(flowing, sendObjstore)},
			},
			goals: []goal{
				faster(ours, sdkManager, 2), faster(ours, transferManager, 2), memoryAtMost(ours, 70*mebibyte),
				faster(oursSmall, sdkManager, 1.15), memoryAtMost(oursSmall, 42*mebibyte),
			},
		},
		{
			name: "s3-upload-in-place", title: "upload 256 MiB of an io.ReaderAt; " + farTitle,
			server: far, bytes: large,
			rows: []transferRow{
				{name: ours, open: sent(asReader, sendOurs(manyThreads, 0))},
				{name: sdkManager, open: sent(asReader, sendManager)},
				{name: transferManager, open: sent(asReader, sendTransferManager)},
				{name: minioGo, open: sent(asReader, sendMinio(true))},
				{name: goCloudS3, open: sent(asReader, sendGoCloud)},
			},
			goals: []goal{faster(ours, sdkManager, 2.5), memoryAtMost(ours, 10*mebibyte)},
		},
		streamsAtOnce("s3-upload-32-near", "TLS, nothing in the way", nearTLS, faster(ours, sdkManager, 1)),
		// From afar the memory bounds the speed: nine parts on nine connections,
		// where each of the others' streams has five of its own.
		streamsAtOnce("s3-upload-32-far", farTitle, far, faster(ours, sdkManager, 0.4)),
	}
	near := func(name, title string, server nullserver.Options, goals ...goal) transferCase {
		return transferCase{
			name: name, title: title, server: server, bytes: 4 * large,
			rows: []transferRow{
				{name: ours, open: sent(asReader, sendOurs(0, 0))},
				{name: plainHTTP, open: sent(asReader, sendPlain)},
				{name: sdkManager, open: sent(asReader, sendManager)},
				{name: transferManager, open: sent(asReader, sendTransferManager)},
				{name: minioGo, open: sent(asReader, sendMinio(true))},
			},
			goals: goals,
		}
	}
	return append(cases,
		near("s3-upload-near", "upload 1 GiB of an io.ReaderAt over TLS, nothing in the way", nearTLS,
			lessCPU(ours, plainHTTP, 1.2), lessCPU(ours, sdkManager, 0.95)),
		near("s3-upload-near-plain", "the same over plain http", nearPlain, lessCPU(ours, sdkManager, 0.45)),
	)
}

// streamsAtOnce share one Memory, which ours has and the others have not.
func streamsAtOnce(name, where string, server nullserver.Options, goals ...goal) transferCase {
	const memory = 48 * mebibyte
	return transferCase{
		name: name, title: fmt.Sprintf("%d uploads at once, of 32 MiB and unknown length, ours with a Memory of %s; %s", atOnce, size(memory), where),
		server: server, bytes: atOnce * 32 * mebibyte,
		rows: []transferRow{
			{name: ours, open: manyAtOnce(sent(flowing, sendOurs(0, memory)))},
			{name: sdkManager, open: manyAtOnce(sent(flowing, sendManager))},
			{name: transferManager, open: manyAtOnce(sent(flowing, sendTransferManager))},
		},
		goals: append(goals, lessMemory(ours, sdkManager, 0.1), lessCPU(ours, sdkManager, 0.7)),
	}
}
