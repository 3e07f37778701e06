package reading

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// algorithms maps the names that --algorithm accepts to hash functions.
var algorithms = map[string]func() hash.Hash{
	"crc32c": func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"md5":    md5.New,
	"sha1":   sha1.New,
	"sha256": sha256.New,
	"sha512": sha512.New,
}

// hashFlags are the flags of hash.
type hashFlags struct {
	filter        program.FilterFlags
	literal, read bool
	algorithm     string
}

// Hash returns the command hash, which prints checksums of objects.
func Hash(p *program.Program) *cobra.Command {
	f := hashFlags{}
	c := &cobra.Command{
		Use:   "hash [flags] LOCATION...",
		Short: "Print checksums of objects",
		Long: `Prints a checksum of each object, or of each object in a folder, with its key, as sha256sum
does. An md5 or crc32c that the store keeps is printed without reading the object; --read
reads it in any case.
` + program.WildcardHelp,
		Example: `  omnibucket hash 's3://photos/a.jpg?region=eu-west-1'
  omnibucket hash --algorithm md5 gs://photos/2026
  omnibucket hash --algorithm crc32c --read 'photos:2026/*.jpg'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return hashAll(c.Context(), p, &f, args) },
	}

	c.Flags().StringVar(
		&f.algorithm, "algorithm", "sha256",
		"`name` of the checksum: crc32c, md5, sha1, sha256 or sha512",
	)
	c.Flags().BoolVar(&f.read, "read", false, "read objects although the store keeps their checksum")
	program.LiteralFlag(c, &f.literal)
	f.filter.Register(c)
	return c
}

// A hashLine is a checksum in JSON.
type hashLine struct {
	Key       string `json:"key"`
	Size      int64  `json:"size"`
	Algorithm string `json:"algorithm"`
	Hash      string `json:"hash"`
}

// hashAll prints the checksums of the objects that the arguments name.
func hashAll(ctx context.Context, p *program.Program, f *hashFlags, args []string) error {
	newHash, ok := algorithms[f.algorithm]
	if !ok {
		names := slices.Sorted(maps.Keys(algorithms))
		return argument.Invalid("--algorithm must be one of "+strings.Join(names, ", "), "")
	}
	walk, err := program.NewWalk(&f.filter, f.literal)
	if err != nil {
		return err
	}

	// Objects are read in parallel. The queue calls the functions that print their checksums in order.
	queue := p.NewQueue(ctx)
	defer queue.Cancel()
	err = p.EachFile(ctx, args, walk, func(root program.Root, entry storage.ListEntry) error {
		return queue.Add(func(ctx context.Context) func() error {
			sum, size, err := f.computeSum(ctx, root.Bucket, entry.Key, newHash())
			return func() error {
				if err != nil {
					return err
				}
				return printHash(p, hashLine{Key: entry.Key, Size: size, Algorithm: f.algorithm, Hash: sum})
			}
		})
	})
	return errors.Join(err, queue.Wait())
}

// printHash prints the checksum of one object.
func printHash(p *program.Program, line hashLine) error {
	if p.Global.JSON {
		return p.Out.JSON(line)
	}
	p.Out.Printf("%s  %s\n", line.Hash, p.Out.Printable(line.Key))
	return p.Out.Err
}

// computeSum returns the checksum of an object in hexadecimal digits, and the size of the object. It
// reads the object only if the store does not keep that checksum, or with --read.
func (f *hashFlags) computeSum(
	ctx context.Context, b storage.Bucket, key string, sum hash.Hash,
) (text string, size int64, err error) {
	mayBeStored := f.algorithm == "md5" || f.algorithm == "crc32c"
	if mayBeStored && !f.read {
		attrs, err := b.Attrs(ctx, key)
		if err != nil {
			return "", 0, err
		}
		if stored := storedSum(attrs, f.algorithm); stored != "" {
			return stored, attrs.Size, nil
		}
	}

	reader, err := b.Download(ctx, key)
	if err != nil {
		return "", 0, err
	}
	defer reader.Close()
	size, err = reader.WriteTo(sum)
	if err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(sum.Sum(nil)), size, nil
}

// storedSum returns the checksum that the store keeps of an object, in hexadecimal digits, or "" if it keeps none with
// this algorithm.
func storedSum(attrs *storage.Attrs, algorithm string) string {
	if algorithm == "md5" {
		return hex.EncodeToString(attrs.MD5)
	}
	if algorithm == "crc32c" && attrs.CRC32C.Known {
		return fmt.Sprintf("%08x", attrs.CRC32C.Sum)
	}
	return ""
}
