// Package local keeps a bucket in a directory. Use it for development, for tests, and for
// programs on one machine. Several processes may use one directory at the same time.
//
// An object is a file with the path of its key: the object images/photo.jpg is the file
// images/photo.jpg. Files that other programs put into the directory are objects, too.
// Content type, metadata and checksum are stored in an extended attribute. If the file
// system has none, they are stored in the reserved directory .omnibucket.
//
//	bucket, err := local.Open("./data", local.Config{Create: true})
//
// Signed and public URLs need the handler of package serve, at the base URL that
// [storage.WithSigningBaseURL] sets. The directory keeps the key that signs them, so that
// they stay valid after a restart.
//
// [storage.As] returns the *os.Root of the bucket's directory. Before the first use of
// the bucket, and if the directory does not exist, it returns none.
//
// Importing the package registers the scheme of its addresses. The address
// file:///var/data opens the bucket in that directory. Its parameters are create=true,
// sync=false, mode=0640 ([Config].FileMode, in octal) and sidecars=true
// ([Config].Sidecars). With [storage.OpenService], the directory contains the buckets.
//
// # Tags and locks
//
// Tags, retention and legal holds are kept with the other attributes. Once a bucket was opened
// with [storage.WithObjectLock], it locks objects for all processes that use this package, and
// for good. The locks are not those of the operating system: a user who may write the files,
// such as root, can remove them. A program that changes a file in its place changes the object
// in spite of its locks.
//
// # Backups
//
// The tools cp -a, rsync -X and tar --xattrs keep extended attributes; zip, tar and cp -r
// lose them. An object without its attributes keeps its bytes and its key. It loses
// metadata, checksum, cache-control and public access, and has the content type that its
// key implies. With [Config].Sidecars, a file beside each object also has its attributes:
// .omnibucket~photo.jpg has those of photo.jpg. In a copy of the directory with these
// files, objects have their attributes, if they still have the size that the file says.
// They have their checksum only if the copy also kept the file's time to the nanosecond.
// Noncurrent versions have no such file. Revisions never survive a copy.
package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/durable"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

const provider = "local"

// Config configures a bucket in a directory, or a directory that contains buckets ([NewService]).
// With the zero value, the directory must exist, and every write is on the disk before it returns.
type Config struct {
	// Create makes the directory if it does not exist. Otherwise opening it fails with
	// BucketNotFound.
	Create bool
	// NoSync leaves flushing to the operating system. Writes are faster, but a power
	// failure may lose the latest ones.
	NoSync bool
	// Now is the clock of [storage.Attrs].Modified, [storage.BucketInfo].Created, of signed URLs and
	// of the age of multipart uploads. If it is nil, it is [time.Now].
	Now func() time.Time
	// SigningKeys sign URLs and forms, for all buckets of a service. If it is nil, each bucket
	// has a key of its own in the file .omnibucket/signing.key of its directory, which only the
	// owner can read.
	SigningKeys SigningKeys
	// FileMode is the mode of new files, whatever the umask is. The owner must be able to read
	// and write them. If it is 0, the mode is 0666 without the umask. If a file is replaced,
	// the new one has the same mode; but if another user owns the replaced file, the mode
	// permits no more than that of a new file. Windows ignores FileMode.
	FileMode os.FileMode
	// Sidecars also writes the attributes of each object into a file beside it, for backup tools that lose extended
	// attributes. It costs a second file for each object. Such files are also read without this option. A disk
	// without extended attributes and exact times, such as FAT and exFAT, always has such files, because its files
	// may get other inode numbers at each mount.
	Sidecars bool
}

// Open opens the bucket in the directory root. If the directory does not exist, it fails
// with BucketNotFound, or creates it with [Config].Create. If root is "" or not a
// directory, or if a signing key is too short, it fails with InvalidArgument. If the
// directory may not be read, it fails with PermissionDenied.
//
// Open removes temporary files of writers that were killed. It also discards multipart
// uploads that got no part for a week, or that are older than AbortUploadsAfterDays in a
// lifecycle rule of the bucket. While the bucket is open, and for buckets of a service,
// beginning a multipart upload does so at most once an hour.
func Open(root string, c Config, opts ...storage.OpenOption) (storage.Bucket, error) {
	d, err := NewDriver(root, c)
	if err != nil {
		return nil, err
	}
	return engine.New(d, opts...), nil
}

// NewDriver returns a driver for [engine.New], and otherwise does what [Open] does.
func NewDriver(root string, c Config) (driver.Driver, error) {
	d, err := newDriver(root, c)
	if err != nil {
		return nil, err
	}
	s, err := d.acquire(context.Background())
	if err != nil {
		_ = d.Close()
		return nil, err
	}
	defer d.release(s)
	return d, s.sweep(context.Background())
}

// NewService returns a service whose buckets are the directories in root. It fails with
// the errors of [Open].
func NewService(root string, c Config, opts ...storage.OpenOption) (storage.Service, error) {
	d, err := NewServiceDriver(root, c)
	if err != nil {
		return nil, err
	}
	return engine.NewService(d, opts...), nil
}

// absolute returns the absolute path of root, and the path to which its symbolic links lead
// now. With [Config.Create], it makes the directory.
func absolute(root string, c Config) (path, resolved string, err error) {
	if c.FileMode != 0 && (c.FileMode&^os.ModePerm != 0 || c.FileMode&0o600 != 0o600) {
		return "", "", argument.Invalid(
			"FileMode", "must have only permission bits, and let the owner read and write", "",
		)
	}
	if root == "" {
		return "", "", argument.Invalid("root", "must not be empty", "")
	}
	path, err = filepath.Abs(root)
	if err != nil {
		return "", "", failure(err)
	}
	if c.Create {
		makeAll := durable.MkdirAll
		if c.NoSync {
			makeAll = os.MkdirAll
		}
		if err := makeAll(path, 0o777); errors.Is(err, syscall.ENOTDIR) {
			return "", "", &storage.Error{Code: storage.InvalidArgument, Err: err}
		} else if err != nil {
			return "", "", failure(err)
		}
	}
	resolved, err = filepath.EvalSymlinks(path)
	if err != nil {
		return path, path, nil // opening it returns a better error
	}
	return path, resolved, nil
}

func openRoot(path string) (*os.Root, error) {
	root, err := os.OpenRoot(path)
	if err == nil {
		return root, nil
	}
	if osdir.IsNotExist(err) {
		return nil, &storage.Error{
			Code: storage.BucketNotFound, Err: err,
			Hint: "to create the directory, set Config.Create or create=true in the address",
		}
	}
	if fi, stat := os.Stat(path); stat == nil && !fi.IsDir() {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Err:  &fs.PathError{Op: "open root", Path: path, Err: errors.New("not a directory")},
		}
	}
	return nil, failure(err)
}
