package main

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/omnibucket/storage"
)

// A tour shows the operations of a bucket, one after another.
type tour struct {
	out    *printer
	bucket storage.Bucket
	tree   tree
	start  time.Time
}

// take shows all operations. Unless keep is true, it removes the uploaded objects at the end, even
// after an error.
func (t *tour) take(ctx context.Context, keep bool) (err error) {
	t.start = time.Now()
	if !keep {
		// A tour that succeeds removes its objects. If it fails, even in the upload, some may be left.
		defer func() {
			if err != nil {
				_, removeErr := storage.RemoveMatching(context.WithoutCancel(ctx), t.bucket, nil)
				err = errors.Join(err, removeErr)
			}
		}()
	}

	up, err := t.upload(ctx)
	if err != nil {
		return err
	}
	if up.total.files == 0 {
		return errors.New("the tree has no files to upload")
	}

	listed, err := t.list(ctx)
	if err != nil {
		return err
	}
	if listed.files != up.total.files || listed.bytes != up.total.bytes {
		return fmt.Errorf(
			"uploaded %d files of %d bytes, but listed %d of %d", up.total.files, up.total.bytes, listed.files,
			listed.bytes,
		)
	}

	// Show the operations on a single object.
	for _, show := range []func(ctx context.Context, key string) error{
		t.attributes, t.readBack, t.readRange, t.refuseOverwrite, t.narrow,
	} {
		if err := show(ctx, up.example); err != nil {
			return err
		}
	}

	ending := "kept"
	if !keep {
		if err := t.remove(ctx, up.total.files); err != nil {
			return err
		}
		ending = "removed"
	}

	t.out.summary(fmt.Sprintf("Done in %s: %s uploaded, listed, one of them read back and guarded, all %s.",
		duration(time.Since(t.start)), amount(up.total.files, up.total.bytes), ending))
	return nil
}

// list prints the top level of the tree, with the number and size of the files in each folder.
func (t *tour) list(ctx context.Context) (total, error) {
	t.out.section("List by folder", `bucket.List(ctx, storage.WithDelimiter("/"))`)

	var sum, top total
	var rows [][]string
	for entry, err := range t.bucket.List(ctx, storage.WithDelimiter("/")) {
		if err != nil {
			return sum, err
		}
		if !entry.IsPrefix {
			top.add(entry.Size)
			continue
		}
		folder, err := t.folderTotal(ctx, entry.Key)
		if err != nil {
			return sum, err
		}
		sum.files += folder.files
		sum.bytes += folder.bytes
		rows = append(rows, []string{entry.Key, count(folder.files, "file"), size(folder.bytes)})
	}

	if top.files > 0 {
		rows = append(rows, []string{"(top)", count(top.files, "file"), size(top.bytes)})
	}
	sum.files += top.files
	sum.bytes += top.bytes
	t.out.table(rows)
	return sum, nil
}

// folderTotal returns the number and size of the files in a folder.
func (t *tour) folderTotal(ctx context.Context, prefix string) (total, error) {
	var sum total
	for object, err := range t.bucket.List(ctx, storage.WithPrefix(prefix)) {
		if err != nil {
			return total{}, err
		}
		sum.add(object.Size)
	}
	return sum, nil
}

// attributes shows the attributes of an object.
func (t *tour) attributes(ctx context.Context, key string) error {
	t.out.section("Attributes of "+key, "bucket.Attrs(ctx, key)")
	attrs, err := t.bucket.Attrs(ctx, key)
	if err != nil {
		return err
	}
	facts := []fact{
		{"size", fmt.Sprintf("%s (%s bytes)", size(attrs.Size), grouped(attrs.Size))},
		{"content type", attrs.ContentType},
		{"modified", attrs.Modified.Format(time.RFC3339)},
		{"etag", attrs.ETag},
		{"revision", attrs.Revision},
	}
	if attrs.CRC32C.Known {
		facts = append(facts, fact{"crc32c", fmt.Sprintf("%08x", attrs.CRC32C.Sum)})
	}
	for name, value := range attrs.Metadata {
		facts = append(facts, fact{"metadata", name + " = " + value})
	}
	t.out.facts("", facts...)
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// readBack reads an object, and compares its checksum with those of the file and of the store.
func (t *tour) readBack(ctx context.Context, key string) error {
	t.out.section("Read it back", "storage.ReadAll(ctx, bucket, key)")
	data, attrs, err := storage.ReadAll(ctx, t.bucket, key)
	if err != nil {
		return err
	}

	original, err := t.tree.sum(key)
	if err != nil {
		return err
	}
	sum := crc32.Checksum(data, castagnoli)
	if sum != original {
		return fmt.Errorf("%s: read back with checksum %08x, but its file has %08x", key, sum, original)
	}

	facts := []fact{
		{"bytes read", fmt.Sprintf("%s, crc32c %08x", grouped(int64(len(data))), sum)},
		{"file", fmt.Sprintf("crc32c %08x: equal", original)},
	}
	if attrs.CRC32C.Known {
		if attrs.CRC32C.Sum != sum {
			return fmt.Errorf("%s: stored with checksum %08x, but read back with %08x", key, attrs.CRC32C.Sum, sum)
		}
		facts = append(facts, fact{"stored", fmt.Sprintf("crc32c %08x: equal", attrs.CRC32C.Sum)})
	}

	t.out.facts("", facts...)
	return nil
}

// readRange shows that a part of an object can be read by itself.
func (t *tour) readRange(ctx context.Context, key string) error {
	const length = 48
	t.out.section("Read a range", fmt.Sprintf("bucket.Download(ctx, key, storage.WithRange(0, %d))", length))
	r, err := t.bucket.Download(ctx, key, storage.WithRange(0, length))
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	part, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	t.out.facts("", fact{"bytes", fmt.Sprintf("%d of %s: %.60q", len(part), grouped(r.Attrs().Size), part)})
	return nil
}

func (t *tour) refuseOverwrite(ctx context.Context, key string) error {
	t.out.section("Refuse to overwrite", "bucket.Upload(ctx, key, body, storage.IfAbsent())")
	_, err := t.bucket.Upload(ctx, key, eof{}, storage.IfAbsent())
	if !errors.Is(err, storage.PreconditionFailed) {
		return fmt.Errorf("an overwrite of %s was not refused: %w", key, unexpected(err))
	}
	t.out.facts("", fact{"refused", err.Error()})
	return nil
}

// narrow shows that a program can pass on the right to read without the right to remove.
func (t *tour) narrow(ctx context.Context, key string) error {
	t.out.section("Hand out less", "storage.Ref[storage.Downloader](bucket)")
	reader := storage.Ref[storage.Downloader](t.bucket)
	data, _, err := storage.ReadAll(ctx, reader, key)
	if err != nil {
		return err
	}

	// A type assertion may bring back the method Remove, but a call of it must be denied.
	refusal := "it has no such method"
	if remover, ok := reader.(storage.Remover); ok {
		err := remover.Remove(ctx, key)
		if !errors.Is(err, storage.PermissionDenied) {
			return fmt.Errorf("a reference for reading could remove %s: %w", key, unexpected(err))
		}
		refusal = err.Error()
	}

	t.out.facts(
		"",
		fact{"reads", grouped(int64(len(data))) + " bytes"},
		fact{"removes", "no: " + refusal},
	)
	return nil
}

// remove removes all objects of the tour. It fails if it removes another number than want, or if any
// object remains.
func (t *tour) remove(ctx context.Context, want int) error {
	t.out.section("Remove", "storage.RemoveMatching(ctx, bucket, nil)")
	start := time.Now()
	n, err := storage.RemoveMatching(ctx, t.bucket, nil)
	if err != nil {
		return err
	}
	if n != want {
		return fmt.Errorf("uploaded %d objects, but removed %d", want, n)
	}
	remaining := 0
	for _, err := range t.bucket.List(ctx) {
		if err != nil {
			return err
		}
		remaining++
	}
	if remaining > 0 {
		return fmt.Errorf("%d objects are still there after the removal", remaining)
	}
	t.out.facts("",
		fact{"removed", fmt.Sprintf("%s in %s", count(n, "object"), duration(time.Since(start)))},
		fact{"left", "none"})
	return nil
}

// unexpected is called if an operation did not fail with the expected error. It returns err, or an
// error that says "it succeeded" if err is nil.
func unexpected(err error) error {
	if err == nil {
		return errors.New("it succeeded")
	}
	return err
}

// eof is an empty body.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }
