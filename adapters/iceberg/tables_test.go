package iceberg

import (
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	parquetfile "github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/omnibucket/storage"
)

// docs/migrating/iceberg.md shows these functions, and TestFSFilesAreReadByArrow runs them.

func openTable(ctx context.Context, bucket storage.Bucket, key string) (*parquetfile.Reader, error) {
	f, err := storage.FS(ctx, bucket).Open(key)
	if err != nil {
		return nil, err
	}
	return parquetfile.NewParquetReader(f.(parquet.ReaderAtSeeker)) // its Close closes f
}

func writeTable(
	ctx context.Context, bucket storage.Uploader, key string, rows arrow.RecordBatch,
) (*storage.Attrs, error) {
	dst := storage.NewWriter(ctx, bucket, key)
	defer dst.Close()
	w, err := pqarrow.NewFileWriter(rows.Schema(), struct{ io.Writer }{dst},
		parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, err
	}
	if err := w.Write(rows); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return dst.Commit()
}
