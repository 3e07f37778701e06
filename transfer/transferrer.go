package transfer

import "context"

// A comparison is what is to be done with a file that both ends have.
type comparison int

const (
	same    comparison = iota
	differs            // it is brought over
	unclear            // a look at the ends will tell
)

// A transferrer leads from one kind of end to another.
type transferrer interface {
	// compare tells what a listing tells; sizes are equal.
	compare(src, dst entry) comparison
	// look asks the ends.
	compareDeep(ctx context.Context, src, dst entry) (bool, error)
	// transfer brings a file over, with up to requests requests at once, and says how
	// many bytes it stored. known says that the destination was seen to have one;
	// moved is told of bytes on their way.
	transfer(ctx context.Context, src entry, known bool, requests int, moved func(done, total int64)) (int64, error)
}

// newTransferrer is the road from src to dst.
func newTransferrer(dst, src openedEnd, s *settings) transferrer {
	from, isTree := src.(*tree)
	if to, ok := dst.(*tree); ok {
		if isTree {
			return &fileCopier{from: from, to: to}
		}
		return &downloader{from: src.(*objects).from, to: to, dryRun: s.dryRun}
	}
	to := dst.(*objects).bucket
	if isTree {
		return &uploader{from: from, to: to, rule: s.rule, resume: resumeDir(s.resume), future: s.future}
	}
	return &bucketCopier{from: src.(*objects).from, to: to, rule: s.rule, resume: resumeDir(s.resume), future: s.future}
}

// compareChecksums is a look, on any road, with WithChecksum.
func compareChecksums(ctx context.Context, dst, src openedEnd, key string) (bool, error) {
	want, err := src.checksum(ctx, key)
	if err != nil {
		return false, err
	}
	have, err := dst.checksum(ctx, key)
	return err == nil && have == want, err
}
