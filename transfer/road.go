package transfer

import "context"

// A verdict is what is to be done with a file that both ends have.
type verdict int

const (
	same    verdict = iota
	differs         // it is brought over
	unclear         // a look at the ends will tell
)

// A road leads from one kind of end to another.
type road interface {
	// compare tells what a listing tells; sizes are equal.
	compare(src, dst entry) verdict
	// look asks the ends.
	look(ctx context.Context, src, dst entry) (bool, error)
	// move brings a file over, with up to requests requests at once, and says how
	// many bytes it stored. known says that the destination was seen to have one;
	// moved is told of bytes on their way.
	move(ctx context.Context, src entry, known bool, requests int, moved func(done, total int64)) (int64, error)
}

// roadBetween is the road from src to dst.
func roadBetween(dst, src side, s *settings) road {
	from, isTree := src.(*tree)
	if to, ok := dst.(*tree); ok {
		if isTree {
			return &fileRoad{from: from, to: to}
		}
		return &downloadRoad{from: src.(*objects).from, to: to, dryRun: s.dryRun}
	}
	to := dst.(*objects).bucket
	if isTree {
		return &uploadRoad{from: from, to: to, rule: s.rule, kept: begun(s.resume), future: s.future}
	}
	return &copyRoad{from: src.(*objects).from, to: to, rule: s.rule, kept: begun(s.resume), future: s.future}
}

// checksums is a look, on any road, with WithChecksum.
func checksums(ctx context.Context, dst, src side, key string) (bool, error) {
	want, err := src.checksum(ctx, key)
	if err != nil {
		return false, err
	}
	have, err := dst.checksum(ctx, key)
	return err == nil && have == want, err
}
