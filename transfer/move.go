package transfer

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/transfer/internal/ends"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

// WithMove removes each file from the source after it was transferred. At each moment, the source
// or the destination has the file. The file also survives a power failure, unless [WithNoSync] is
// set. To continue a job that was killed, make the same call again.
//
// Other jobs with WithMove may move the same files in the opposite direction, or in a circle. No
// file is lost if each end is a directory, or a bucket with [storage.ConditionalRemove] and
// [storage.UniqueRevisions]. S3 lacks UniqueRevisions: two such jobs may remove both copies of a
// file. To run one of them at a time, let each hold the same lease of package lease.
//
// If both ends have a file with the same content, the job may transfer the file again. It skips the
// transfer only if the file of the destination is at least an hour newer than the file of the
// source. Files of equal size are compared as with [WithChecksum].
//
// Within one bucket that has [storage.ServerMove], each object is moved in one step, with the
// content that it has at that moment. In any other case, a file may change during the job:
//
//   - If a file of the source changes after it was listed, the job keeps the file at the source.
//     The file counts as transferred, and fails with Changed.
//   - If the transfer is skipped and the file of the destination changes afterwards, the job keeps
//     the file at the source. The file fails with Changed.
//   - A change in the moment before the removal is lost if the source is a store without
//     ConditionalRemove. A directory keeps a file that replaces another one.
//   - If the store lacks UniqueRevisions, the job may remove a file that was written again with the
//     same content.
//
// A file that was transferred but cannot be removed counts as transferred and as failed in the
// Report. If both ends list an object with the same ETag and time, they may be one bucket under two
// addresses. Such an object stays, and fails with InvalidArgument.
//
// If the source is a directory, the job also removes folders that become empty. Before it removes a
// file, it renames the file and compares the renamed file with the listed one. If they differ, the
// job renames the file back. If the old name is taken by then, the job adds .kept- and digits to
// the name. A killed job may leave empty folders, and a file whose name begins with
// .omnibucket-removed-. The next job with WithMove from the directory, or any job into the
// directory, removes such a file or renames it back. The job fails with InvalidArgument if files
// cannot be removed from the source. It also fails with InvalidArgument if WithMove is combined
// with [WithDelete] or [WithSizeOnly]. If the source is a directory, WithMove cannot be combined
// with [WithLinks], either.
func WithMove() Option {
	return option(func(s *settings) {
		s.move = true
	})
}

var errDestinationChanged = errors.New("the file of the destination changed or was removed after it was compared, " +
	"and that of the source was not removed")

var errOneObject = errors.New("source and destination seem to be one object, which was not removed")

// clocksDiffer is longer than any difference between the clocks of two stores. Amazon S3 and Azure
// refuse a request if the client's clock differs by more than 15 minutes. So the clocks of two
// stores that accept the same client differ by at most 30 minutes.
const clocksDiffer = time.Hour

// copiesAgain reports whether a job must transfer a file even if the destination seems to have it
// already. A move must do so before it removes the file from the source. Another job may move files in
// the opposite direction: if each job relied on the file at the other end, both would be removed. The
// new copy is safe, because the other job keeps files that changed since it listed them.
func copiesAgain(j *job, src, dst ends.Entry) bool {
	if j.settings.missingOnly {
		return false
	}
	if j.places.MayShowSource {
		// The file at the destination may be that of the source.
		return true
	}
	if !j.settings.move {
		return false
	}

	// A file that is much newer than that of the source is safe, too. A job in the opposite direction
	// sees the same times, and so transfers its file again before it removes that.
	isMuchNewer := !src.Written.IsZero() && dst.Modified.Sub(src.Written) >= clocksDiffer
	return !isMuchNewer
}

// sameObject reports whether two listed objects may be one object in a bucket with two addresses,
// because they have the same size, ETag and time. A copy differs from its source in the time or the
// revision.
func sameObject(src, dst ends.Entry) bool {
	if src.Revision != "" && dst.Revision != "" && src.Revision != dst.Revision {
		return false
	}
	sameETag := src.ETag != "" && src.ETag == dst.ETag
	sameTime := !src.Modified.IsZero() && src.Modified.Equal(dst.Modified)
	return sameETag && sameTime && src.Size == dst.Size
}

// moveInOneStep moves an object with one request, if both ends are in one bucket and the store supports
// that. Otherwise, done is false.
func (j *job) moveInOneStep(ctx context.Context, key string) (size int64, done bool, err error) {
	src, srcIsBucket := j.src.(*ends.Objects)
	dst, dstIsBucket := j.dst.(*ends.Objects)
	changesAttributes := j.settings.rule != nil || j.settings.locks
	if !j.settings.move || !srcIsBucket || !dstIsBucket || changesAttributes {
		return 0, false, nil
	}

	var noOptions []storage.CopyOption
	attrs, done, err := serving.MoveInOneStep(ctx, dst.Bucket, key, src.Source, key, noOptions)
	if !done {
		return 0, false, err
	}
	return attrs.(*storage.Attrs).Size, true, nil
}

// finishMove removes a file from the source of a move, because the destination has it. listed is the
// file that the destination's listing contains, or nil if this job has written the file.
func (j *job) finishMove(ctx context.Context, src ends.Entry, listed *ends.Entry) error {
	if !j.settings.move || j.settings.dryRun {
		return nil
	}
	// The file must be on the disk of the destination before it is removed here.
	if err := j.dst.SyncDirs(); err != nil {
		return joberror.OfFile("Sync", src.Key, err)
	}
	if listed != nil {
		// Another program may have changed the file since it was listed.
		if err := checkStillListed(ctx, j.dst, *listed); err != nil {
			return err
		}
	}
	return j.src.RemoveUnchanged(ctx, src)
}

// checkStillListed fails with Changed if another program has meanwhile removed or replaced a file that
// the job listed in its destination.
func checkStillListed(ctx context.Context, end ends.End, file ends.Entry) error {
	exists, err := end.Has(ctx, file)
	if err != nil {
		return err
	}
	if exists {
		return nil
	}
	return &storage.Error{
		Code: storage.Changed,
		Op:   "Sync",
		Key:  file.Key,
		Err:  errDestinationChanged,
		Hint: "repeat the job when no other job moves files away from its destination",
	}
}
