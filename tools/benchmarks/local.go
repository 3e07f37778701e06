package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/thanos-io/objstore/providers/filesystem"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/providers/local"
)

const (
	tempRename = "temporary file + rename"
	plainWalk  = "filepath.WalkDir + Info"
	plainRead  = "os.ReadFile"
)

// openOwn opens a local directory as a bucket of this library. If sync is true, writes wait for the
// disk.
func openOwn(e *env, dir string, sync bool) (own, error) {
	address := url.URL{Scheme: "file", Path: filepath.ToSlash(dir), RawQuery: fmt.Sprintf("create=true&sync=%t", sync)}
	bucket, err := storage.Open(e.ctx, address.String())
	if err != nil {
		return own{}, err
	}
	s := own{bucket, []storage.UploadOption{storage.WithContentType(contentType), storage.WithMetadata(metadata)}}
	e.cleanup = append(e.cleanup, s.close)
	return s, nil
}

// openFileblob opens a local directory with gocloud.dev. It stores no attributes of objects,
// because they would cost a second write.
func openFileblob(e *env, dir string) (goCloud, error) {
	bucket, err := fileblob.OpenBucket(dir, &fileblob.Options{Metadata: fileblob.MetadataDontWrite, NoTempDir: true})
	if err != nil {
		return goCloud{}, err
	}
	s := goCloud{bucket, &blob.WriterOptions{ContentType: contentType}}
	e.cleanup = append(e.cleanup, s.close)
	return s, nil
}

// diskStores lists the libraries that store objects in a directory.
var diskStores = []struct {
	name string
	open func(e *env, dir string) (store, error)
}{
	{ours, func(e *env, dir string) (store, error) { return openOwn(e, dir, false) }},
	{goCloudFile, func(e *env, dir string) (store, error) { return openFileblob(e, dir) }},
	{objstoreFile, openFilesystem},
}

func openFilesystem(_ *env, dir string) (store, error) {
	b, err := filesystem.NewBucket(dir)
	return objstoreBucket{b}, err
}

// diskRows returns a row for each library. Each row has a new directory.
func diskRows(setup setupWith[store]) []row {
	var rows []row
	for _, d := range diskStores {
		rows = append(rows, row{
			name: d.name,
			setup: func(e *env) (opFunc, error) {
				dir, err := e.dir()
				if err != nil {
					return nil, err
				}
				s, err := d.open(e, dir)
				if err != nil {
					return nil, err
				}
				return setup(e, s)
			},
		})
	}
	return rows
}

// localCases returns the cases that compare local directories as buckets with other libraries, and
// with plain calls of package os. One case lists the given number of files.
func localCases(files int) []benchCase {
	return []benchCase{
		localPut("local-put-1k", "put 1 KiB", kilobyte, asFast(goCloudFile, 1), within(tempRename, 1.1)),
		localPut("local-put-1m", "put 1 MiB", mebibyte, within(tempRename, 1.15)),
		localPutSynced("local-put-1k-sync", "put 1 KiB", kilobyte, within(tempRename, 1.1)),
		localPutSynced("local-put-1m-sync", "put 1 MiB", mebibyte, within(tempRename, 1.05)),
		{
			name:  "local-get-1k",
			title: "read all of 1 KiB, attributes and checksum included in ours",
			rows:  append(diskRows(getOp(kilobyte)), row{name: plainRead, setup: readOp}),
		},
		{
			name:  "local-list-all",
			title: fmt.Sprintf("list all of %d files with their sizes, in pages of 1,000; one tree for all", files),
			rows:  listRows(files),
			goals: []goal{asFast(goCloudFile, 20), within(plainWalk, 1.5)},
		},
		{
			name:  "local-send-64m",
			title: "download 64 MiB to a socket",
			rows:  sendRows(64 << 20),
			goals: []goal{within(plainSend, 1.1)},
		},
	}
}

func localPut(name, title string, bytes int, goals ...goal) benchCase {
	return benchCase{
		name:  name,
		title: title + ", no fsync: ours atomic with attributes and checksum, fileblob without attributes, objstore not atomic",
		rows:  append(diskRows(putOp(bytes)), row{name: tempRename, setup: renameOp(bytes, false)}),
		goals: goals,
	}
}

// localPutSynced returns a case that stores objects in a local directory which syncs each object to
// the disk.
func localPutSynced(name, title string, bytes int, goals ...goal) benchCase {
	putSynced := func(e *env) (opFunc, error) {
		dir, err := e.dir()
		if err != nil {
			return nil, err
		}
		s, err := openOwn(e, dir, true)
		if err != nil {
			return nil, err
		}
		return putOp(bytes)(e, s)
	}
	return benchCase{
		name:  name,
		title: title + ", synced to the disk with its directory",
		rows:  []row{{name: ours, setup: putSynced}, {name: tempRename, setup: renameOp(bytes, true)}},
		goals: goals,
	}
}

// renameOp returns an op that writes a file and renames it, the cheapest way to write atomically.
func renameOp(bytes int, sync bool) setupFunc {
	return func(e *env) (opFunc, error) {
		dir, err := e.dir()
		if err != nil {
			return nil, err
		}
		data := make([]byte, bytes)
		keys := keyRing(64)
		return func(n int) error {
			for i := range n {
				if err := writeRenamed(dir, filepath.Base(keys[i%len(keys)]), data, sync); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

// writeRenamed writes a temporary file, and renames it to name. If sync is true, both the content
// and the new name survive a crash of the system.
func writeRenamed(dir, name string, data []byte, sync bool) error {
	f, err := os.CreateTemp(dir, "tmp-")
	if err != nil {
		return err
	}
	writeErr := writeData(f, data, sync)
	if err := errors.Join(writeErr, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	if !sync {
		return nil
	}

	// The rename is an entry in the directory, which has to be synced itself.
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func writeData(f *os.File, data []byte, sync bool) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	if !sync {
		return nil
	}
	return f.Sync()
}

// readOp returns an op that reads a file of 1 KiB with package os.
func readOp(e *env) (opFunc, error) {
	dir, err := e.dir()
	if err != nil {
		return nil, err
	}
	name := filepath.Join(dir, "file")
	if err := os.WriteFile(name, make([]byte, kilobyte), 0o600); err != nil {
		return nil, err
	}
	return repeated(func() error {
		_, err := os.ReadFile(name)
		return err
	}), nil
}

// treeName is the name of the directory that all rows of listRows list.
const treeName = "tree"

// listRows returns rows that all list the same directory. This library has written the files. The
// other libraries also list a few files that this library uses internally.
func listRows(files int) []row {
	return []row{
		{
			name: ours,
			setup: func(e *env) (opFunc, error) {
				s, err := fillTree(e, files)
				if err != nil {
					return nil, err
				}
				return listTreeOp(e, s, files), nil
			},
		},
		{
			name: goCloudFile,
			once: true,
			setup: func(e *env) (opFunc, error) {
				s, err := openFileblob(e, e.shared[treeName].(string))
				if err != nil {
					return nil, err
				}
				return listTreeOp(e, s, files), nil
			},
		},
		{
			name: objstoreFile,
			setup: func(e *env) (opFunc, error) {
				s, err := openFilesystem(e, e.shared[treeName].(string))
				if err != nil {
					return nil, err
				}
				return listTreeOp(e, s, files), nil
			},
		},
		{
			name: plainWalk,
			setup: func(e *env) (opFunc, error) {
				dir := e.shared[treeName].(string)
				return repeated(func() error { return walkTree(dir, files) }), nil
			},
		},
	}
}

// fillTree makes a directory with the given number of files of one byte, and returns it as a bucket
// of this library. It records the directory in e.shared, because all rows list the same one.
func fillTree(e *env, files int) (own, error) {
	dir, err := e.dir()
	if err != nil {
		return own{}, err
	}
	e.shared[treeName] = dir

	s, err := openOwn(e, dir, false)
	if err != nil {
		return own{}, err
	}
	for i := range files {
		if err := s.put(e.ctx, key(i), []byte{'x'}); err != nil {
			return own{}, err
		}
	}
	return s, nil
}

func listTreeOp(e *env, s store, files int) opFunc {
	return func(n int) error {
		for range n {
			if got, err := listed(e.ctx, s, ""); err != nil || got < files {
				return errors.Join(err, checkCount(got, files))
			}
		}
		return nil
	}
}

// walkTree reads the information on all files in a directory, and fails if there are fewer than want.
func walkTree(dir string, want int) error {
	got := 0
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		got++
		_, err = d.Info()
		return err
	})
	// More files are no error, because the directory also contains internal files of the bucket.
	return errors.Join(err, checkCount(min(got, want), want))
}
