package main

import (
	"context"
	"errors"
	"io"
	"io/fs"

	iceio "github.com/apache/iceberg-go/io"
	_ "github.com/apache/iceberg-go/io/gocloud/s3" // iceberg-go's own access to S3, which the row icebergS3 measures

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/iceberg"
)

const (
	viaIceberg = "adapters/iceberg"
	icebergS3  = "iceberg-go s3"
)

var icebergAdapters = []adapter[adapterStore]{
	directCalls,
	{viaIceberg, func(ctx context.Context, b storage.Bucket) (adapterStore, error) {
		const root = "s3://lake"
		return newIcebergFiles(iceberg.New(ctx, b, root), root), nil
	}},
}

// icebergCases returns the cases that compare adapters/iceberg with direct calls, and with
// iceberg-go's own files in S3.
func icebergCases() []benchCase {
	const manifest, data = "folder/manifest.avro", "folder/data.parquet"
	both := []goal{notSlower(viaIceberg, icebergS3), noMoreRequests(viaIceberg, icebergS3)}
	var cases []benchCase
	for _, c := range []adapterCase[adapterStore]{
		{"read-1k", "ReadFile of 1 KiB", adapterReadAll(kilobyte), both},
		{"open-manifest-64k", "open a manifest of 64 KiB and read it", adapterDownload(manifest, 64*kilobyte), both},
		// Open of a data file requests only the attributes. Reading the file from start to end
		// needs a second request. This case has no goals, because programs do not read a Parquet
		// file from start to end. They call ReadAt.
		{"open-8m", "open a data file of 8 MiB and read it from start to end", adapterDownload(data, 8*mebibyte), nil},
		{"range-64k", "open a data file of 8 MiB, and ReadAt of 64 KiB", adapterRange(8*mebibyte, 4*mebibyte, 64*kilobyte), both},
		{"write-1k", "WriteFile of 1 KiB", adapterPut(kilobyte), both},
		// The number of requests is no goal here. s3blob needs fewer than this library, because it
		// keeps 16 MiB in memory before it sends parts.
		{"create-8m", "Create, Write of 8 MiB in pieces, Close", adapterUpload(8 * mebibyte), both[:1]},
		{"walk-1000", "WalkDir of 1,000 files", adapterList(1000), both},
		{"stat", "Stat of a file", adapterAttrs, both},
		{"remove", "write 1 KiB, and remove it", adapterDelete, both},
	} {
		c.name = "iceberg-" + c.name
		cases = append(cases, casesOf(c, icebergAdapters, minioRow(icebergS3, minioIceberg))...)
	}
	return cases
}

// minioIceberg opens the files in the same way as the catalogs of iceberg-go.
func minioIceberg(ctx context.Context, bucket string, server jobServer) (adapterStore, error) {
	root := "s3://" + bucket
	files, err := iceio.LoadFS(ctx, map[string]string{
		iceio.S3EndpointURL:     server.endpoint,
		iceio.S3Region:          s3Region,
		iceio.S3AccessKeyID:     server.key,
		iceio.S3SecretAccessKey: server.secret,
	}, root)
	if err != nil {
		return nil, err
	}
	return newIcebergFiles(files.(icebergIO), root), nil
}

// An icebergIO has the interfaces of iceberg-go that the cases need.
type icebergIO interface {
	iceio.ReadFileIO
	iceio.WriteFileIO
	iceio.ListableIO
	iceio.StatIO
}

// An icebergFiles makes the operations through files of iceberg-go below a root. It ignores
// contexts, because the calls of iceberg-go have none.
type icebergFiles struct {
	files  icebergIO
	root   string
	buffer []byte // used by all reads, so that its allocation is not measured
}

func newIcebergFiles(files icebergIO, root string) icebergFiles {
	return icebergFiles{files, root, make([]byte, 64*kilobyte)}
}

func (s icebergFiles) at(key string) string { return s.root + "/" + key }

func (s icebergFiles) put(_ context.Context, key string, data []byte) error {
	return s.files.WriteFile(s.at(key), data)
}

// upload writes the body in pieces, as writers of Parquet do.
func (s icebergFiles) upload(_ context.Context, key string, body io.Reader) error {
	w, err := s.files.Create(s.at(key))
	if err != nil {
		return err
	}
	_, err = io.Copy(struct{ io.Writer }{w}, body)
	return errors.Join(err, w.Close())
}

func (s icebergFiles) get(_ context.Context, key string) (int, error) {
	data, err := s.files.ReadFile(s.at(key))
	return len(data), err
}

// download reads the file with Read, as readers of Avro do.
func (s icebergFiles) download(_ context.Context, key string, dst io.Writer) (int64, error) {
	f, err := s.files.Open(s.at(key))
	if err != nil {
		return 0, err
	}
	n, err := io.CopyBuffer(dst, struct{ io.Reader }{f}, s.buffer)
	return n, errors.Join(err, f.Close())
}

func (s icebergFiles) attrs(_ context.Context, key string) error {
	_, err := s.files.Stat(s.at(key))
	return err
}

func (s icebergFiles) list(_ context.Context, prefix string, each func()) error {
	return s.files.WalkDir(s.at(prefix[:len(prefix)-1]), func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			each()
		}
		return err
	})
}

func (icebergFiles) close() error { return nil }

func (s icebergFiles) readRange(_ context.Context, key string, offset, length int64) error {
	f, err := s.files.Open(s.at(key))
	if err != nil {
		return err
	}
	_, err = f.ReadAt(s.buffer[:length], offset)
	return errors.Join(err, f.Close())
}

func (s icebergFiles) exists(_ context.Context, key string) (bool, error) {
	_, err := s.files.Stat(s.at(key))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (s icebergFiles) remove(_ context.Context, key string) error { return s.files.Remove(s.at(key)) }

func (icebergFiles) copyTo(context.Context, string, string) error { return errors.ErrUnsupported }
