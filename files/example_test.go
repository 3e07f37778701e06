package files_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

func Example() {
	ctx := context.Background()
	bucket := memstore.New()
	store, err := files.New(bucket, files.BucketRecords(bucket), files.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	record, err := store.Upload(ctx, strings.NewReader("all is well"), files.UploadOptions{
		OriginalFileName: "Report.TXT",
		UploadedBy:       "42",
		Purpose:          "reports",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(record.FileExt, record.MIMEType, record.OriginalLength)

	reader, record, err := store.Download(ctx, record.ID, storage.WithRange(7, -1))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reader.Close()
	text, err := io.ReadAll(reader)
	fmt.Println(record.OriginalFileName, string(text), err)

	// Output:
	// .txt text/plain; charset=utf-8 11
	// Report.TXT well <nil>
}

func ExampleConfig_inspect() {
	ctx := context.Background()
	bucket := memstore.New()
	store, err := files.New(bucket, files.BucketRecords(bucket), files.Config{
		Inspect: func(_ context.Context, r *files.Record, content *storage.ReaderAt) error {
			begin := make([]byte, 5)
			if _, err := content.ReadAt(begin, 0); err != nil && err != io.EOF {
				return err
			}
			if string(begin) != "%PDF-" {
				return &uploads.Error{Field: "file", Code: uploads.Refused, Message: r.OriginalFileName + " is not a PDF."}
			}
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = store.Upload(ctx, strings.NewReader("all is well"), files.UploadOptions{OriginalFileName: "report.pdf"})
	fmt.Println(uploads.CodeOf(err))
	// Output:
	// refused
}

func ExampleStore_UploadPart() {
	ctx := context.Background()
	bucket := memstore.New()
	store, err := files.New(bucket, files.BucketRecords(bucket), files.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	parts := map[int]string{1: "all ", 2: "is ", 3: "well"}
	for _, number := range []int{3, 1, 2} {
		record, err := store.UploadPart(ctx, strings.NewReader(parts[number]), files.PartOptions{
			Token: "0b1e4c1a-5a4f-4f0e-9f3c-5a9d3c1f6b2e", Count: 3, Part: number,
			UploadOptions: files.UploadOptions{OriginalFileName: "report.txt", UploadedBy: "42"},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		if record == nil {
			fmt.Println("part", number, "is stored")
			continue
		}
		fmt.Println("part", number, "completes a file of", record.OriginalLength, "bytes")
	}

	// Output:
	// part 3 is stored
	// part 1 is stored
	// part 2 completes a file of 11 bytes
}

// Pages come back until one has no token; one may be empty before that.
func ExampleStore_List() {
	ctx := context.Background()
	bucket := memstore.New()
	store, err := files.New(bucket, files.BucketRecords(bucket), files.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, purpose := range []string{"reports", "pictures", "reports"} {
		_, err := store.Upload(ctx, strings.NewReader("x"), files.UploadOptions{OriginalFileName: purpose + ".txt", Purpose: purpose})
		if err != nil {
			fmt.Println(err)
			return
		}
	}

	for token := ""; ; {
		page, err := store.List(ctx, files.ListFilter{Purpose: "reports"}, token, 50)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, record := range page.Records {
			fmt.Println(record.OriginalFileName)
		}
		if token = page.Token; token == "" {
			break
		}
	}

	// Output:
	// reports.txt
	// reports.txt
}

// A schedule clears temp files and repairs what crashes have left.
func ExampleStore_Sweep() {
	ctx := context.Background()
	bucket := memstore.New()
	store, err := files.New(bucket, files.BucketRecords(bucket), files.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := store.UploadTemp(ctx, strings.NewReader("x"), files.UploadOptions{OriginalFileName: "draft.txt"}); err != nil {
		fmt.Println(err)
		return
	}

	cleared, err := store.ClearTemp(ctx, 24*time.Hour)
	fmt.Println(cleared, err)
	report, err := store.Sweep(ctx)
	fmt.Printf("%+v %v\n", *report, err)

	// Output:
	// 0 <nil>
	// {Bytes:0 Records:0 Uploads:0} <nil>
}

func ExampleError() {
	bucket := memstore.New()
	store, err := files.New(bucket, files.BucketRecords(bucket), files.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = store.Upload(context.Background(), strings.NewReader("x"), files.UploadOptions{OriginalFileName: "../passwd"})
	if e, ok := errors.AsType[*uploads.Error](err); ok {
		fmt.Println(e.Field, e.Code, e.Message)
	}
	fmt.Println(errors.Is(err, storage.InvalidArgument))

	// Output:
	// originalFileName invalid_value The file's name is a path.
	// true
}
