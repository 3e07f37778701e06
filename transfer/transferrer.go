package transfer

import "context"

// A comparison is the result of comparing a file that both ends have.
type comparison int

const (
	same    comparison = iota
	differs            // it is transferred
	unclear            // compareDeep decides
)

// A transferrer compares and transfers files between two kinds of ends.
type transferrer interface {
	// compare uses only what listings contain; sizes are equal.
	compare(src, dst entry) comparison
	// compareDeep reads attributes and, if necessary, files. It reports whether they
	// are the same.
	compareDeep(ctx context.Context, src, dst entry) (bool, error)
	// transfer transfers a file with up to the given number of parallel requests and
	// returns how many bytes it stored. known reports whether the destination has a
	// file. moved is called as bytes are transferred.
	transfer(ctx context.Context, src entry, known bool, requests int, moved func(done, total int64)) (int64, error)
}

// newTransferrer returns the transferrer from src to dst.
func newTransferrer(dst, src openedEnd, s *settings) transferrer {
	from, isTree := src.(*tree)
	if to, ok := dst.(*tree); ok {
		if isTree {
			return &fileCopier{from, to}
		}
		return &downloader{src.(*objects).from, to, s}
	}
	to := dst.(*objects).bucket
	if isTree {
		return &uploader{from, to, s}
	}
	return &bucketCopier{src.(*objects).from, to, s}
}

// compareChecksums compares a file of two ends of any kind, for [WithChecksum].
func compareChecksums(ctx context.Context, dst, src openedEnd, key string) (bool, error) {
	want, err := src.checksum(ctx, key)
	if err != nil {
		return false, err
	}
	have, err := dst.checksum(ctx, key)
	return err == nil && have == want, err
}
