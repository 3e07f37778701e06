// Package local keeps a bucket in a directory. Use it for development, for tests, and for programs
// on one machine. Several processes may use one directory at the same time.
//
// An object is a file with the path of its key: the object images/photo.jpg is the file
// images/photo.jpg. Files that other programs put into the directory are objects, too. Content
// type, metadata and checksum are stored in an extended attribute. If the file system has no
// extended attributes, they are stored in the reserved directory .omnibucket.
//
//	bucket, err := local.Open("./data", local.Config{Create: true})
//
// Signed and public URLs need the handler of package serve, at the base URL that
// [storage.WithSigningBaseURL] sets. The key that signs them is kept in the directory, so that URLs
// stay valid after a restart.
//
// [storage.As] returns the *os.Root of the bucket's directory. It returns false before the first
// use of the bucket, and if the directory does not exist.
//
// Importing the package registers the scheme file. The address file:///var/data opens the bucket in
// that directory. Its parameters are create=true, sync=false, mode=0640 ([Config].FileMode, in
// octal) and sidecars=true ([Config].Sidecars). With [storage.OpenService], the directory contains
// the buckets.
//
// # Tags and locks
//
// Tags, retention and legal holds are kept with the other attributes. Once a bucket was opened with
// [storage.WithObjectLock], it permanently locks objects for all processes that use this package.
// The locks are not those of the operating system: a user who may write the files, such as root,
// can remove them. A program that edits a file in place changes the object in spite of its locks.
//
// # Backups
//
// The tools cp -a, rsync -X and tar --xattrs keep extended attributes; zip, tar and cp -r lose
// them. An object without its attributes keeps its bytes and its key. It loses metadata, checksum,
// cache-control and public access, and has the content type that its key implies.
//
// With [Config].Sidecars, a file beside each object also has the object's attributes: photo.jpg has
// the sidecar .omnibucket~photo.jpg. If a copy of the directory includes the sidecars, each object
// keeps its attributes, unless the object's size differs from the size in its sidecar. The checksum
// is kept only if the copy also kept the file's time to the nanosecond. Noncurrent versions have no
// sidecar. Revisions never survive a copy.
//
// # Files of other programs
//
// The revision of a file consists of its inode, its size and its modification time. If another
// program writes new bytes of the same length into the file and sets the old time again, as "cp -p"
// can, the revision stays the same. A [storage.ReaderAt], package diskcache and clients with a
// response 304 may then keep the old bytes.
//
// Links never lead out of the directory. Inside the directory, a symbolic link may lead to any
// file. A link below the prefix of [storage.Prefixed] can therefore lead to a file that is not below
// the prefix. To prevent that, open the folder itself as a directory.
package local

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/signedurl"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
)

// Config configures a bucket in a directory, or a directory that contains buckets ([NewService]).
// With the zero value, the directory must exist, and each write is flushed to the disk before it
// returns.
type Config struct {
	// Create creates the directory if it does not exist. If Create is false, opening a missing
	// directory fails with BucketNotFound.
	Create bool
	// NoSync leaves flushing to the operating system. Writes are faster, but a power failure may
	// lose the latest writes.
	NoSync bool
	// Now is the clock of [storage.Attrs].Modified, [storage.BucketInfo].Created, of signed URLs
	// and of the age of multipart uploads. If it is nil, [time.Now] is used.
	Now func() time.Time
	// SigningKeys sign URLs and forms, for all buckets of a service. If it is nil, each bucket has
	// a key of its own in its file .omnibucket/signing.key, which only the owner can read.
	SigningKeys SigningKeys
	// FileMode is the mode of new files, whatever the umask is. The owner must be able to read and
	// write them. If FileMode is 0, the mode is 0666 without the bits of the umask. A file that
	// replaces another has the mode of the replaced file. But if another user owns the replaced
	// file, the mode permits no more than the mode of a new file. Windows ignores FileMode.
	FileMode os.FileMode
	// Sidecars also writes the attributes of each object into a file beside it, for backup tools
	// that lose extended attributes. It costs a second file for each object. Existing sidecars are
	// read even if the option is off. FAT and exFAT always have sidecars: they have no extended
	// attributes, and files may have other inode numbers after each mount.
	Sidecars bool
}

// SigningKeys are secrets of at least 32 random bytes each. The first key signs, and all keys
// verify. So a key can be replaced while links that it has signed still work. Printing or encoding
// SigningKeys shows nothing.
//
// Use a key for one bucket, or for the buckets of one service. A signature covers the name of the
// bucket's directory, but not its path, so that links remain valid after a move and on every
// replica. If two directories with the same name (a/photos and b/photos) have the same key, a link
// to one also opens the other.
type SigningKeys = signedurl.Secrets

// absolutePath checks root and c, and returns the absolute path of root, with and without symbolic
// links. It creates the directory if [Config.Create] is set.
func absolutePath(root string, c Config) (path, realPath string, err error) {
	if err := checkFileMode(c.FileMode); err != nil {
		return "", "", err
	}
	if root == "" {
		return "", "", argument.Invalid("root", "must not be empty", "")
	}

	path, err = filepath.Abs(root)
	if err != nil {
		return "", "", bucketdir.WrapError(err)
	}
	if c.Create {
		if err := createRoot(path, c.NoSync); err != nil {
			return "", "", err
		}
	}

	realPath, err = filepath.EvalSymlinks(path)
	if err != nil {
		// NewDriver returns a better error later.
		return path, path, nil
	}
	return path, realPath, nil
}

// checkFileMode fails with InvalidArgument if objects cannot have the mode. The mode 0 stands for the
// default.
func checkFileMode(mode os.FileMode) error {
	if mode == 0 {
		return nil
	}
	const ownerMode = 0o600
	isPermission := mode&^os.ModePerm == 0
	if isPermission && mode&ownerMode == ownerMode {
		return nil
	}
	return argument.Invalid("FileMode", "must have only permission bits, and let the owner read and write", "")
}

// createRoot creates the directory at path and its parents, if they do not exist, and flushes their
// names to the disk unless noSync is true. It fails with InvalidArgument if a parent is a file.
func createRoot(path string, noSync bool) error {
	mkdirAll := localfile.MkdirAll
	if noSync {
		mkdirAll = os.MkdirAll
	}
	err := mkdirAll(path, 0o777)
	if errors.Is(err, syscall.ENOTDIR) {
		return &storage.Error{Code: storage.InvalidArgument, Err: err}
	}
	return bucketdir.WrapError(err)
}
