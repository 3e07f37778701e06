package gcs

import (
	"cmp"
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/internal/cleanup"
	"github.com/omnibucket/storage/providers/internal/components"
)

// The parts of a parallel composite upload are objects. Their keys have a segment that ends in ".".
// The library writes no other key with such a segment. List and ListVersions omit these keys.
const (
	reservedPrefix   = ".omnibucket./"
	reservedEnd      = ".omnibucket.0" // the smallest key after all keys with reservedPrefix
	componentsPrefix = reservedPrefix + "parts/"
	componentType    = components.ContentType

	maxParallel = 16 // requests at the same time, which cost this process little
)

// A compositeUpload is the parsed name of a parallel composite upload. The name contains the
// storage class, because Google composes only objects of one class.
type compositeUpload struct {
	prefix string // prefix of the keys of its parts
	class  string // storage class of the parts; "" means the bucket's
	open   bool   // true if a marker object exists, which every process can see
}

// openMark begins the name of an open upload, which is a composite upload with a marker object.
const openMark = "o"

var compositeUploads = regexp.MustCompile(`^` + openMark + `?[0-9a-f]{32}(-[^/]+)?$`) // the last group is the storage class

// newCompositeUpload returns a new name for an upload, without a request.
func newCompositeUpload(class string) string {
	if class == "" {
		return randomName()
	}
	return randomName() + "-" + class
}

// parseCompositeUpload parses the name of a composite upload, which newCompositeUpload returned. The name of
// an open upload begins with openMark.
func parseCompositeUpload(upload string) (compositeUpload, error) {
	if !compositeUploads.MatchString(upload) {
		// Any other name could lead to keys outside componentsPrefix.
		return compositeUpload{}, argument.Invalid("upload", "must be a name that BeginParts returned", "")
	}
	id, class, _ := strings.Cut(upload, "-")
	return compositeUpload{
		prefix: componentsPrefix + id + "/",
		class:  class,
		open:   strings.HasPrefix(id, openMark),
	}, nil
}

type composites struct {
	objects driver.Driver
	bucket  *bucket

	hierarchical atomic.Pointer[bool] // nil if isHierarchical has not found out yet
}

// isComposite reports whether the parts of an upload are objects. Otherwise the upload is a
// session, whose name is the path of its URL.
func (d *objectDriver) isComposite(upload string) bool {
	return d.account.composite || compositeUploads.MatchString(upload)
}

func (u *compositeUpload) key(part int) string { return components.Part(u.prefix, part) }

// put stores a part as an object with a key of its own, encrypted as the object will be.
func (cs *composites) put(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	upload, err := parseCompositeUpload(r.Upload)
	if err != nil {
		return driver.Part{}, err
	}
	object := &resource{
		Name:           upload.key(r.Number),
		ContentType:    componentType,
		StorageClass:   upload.class,
		EventBasedHold: new(false), // nil would mean the bucket's default hold
	}
	if r.CRC32C.Known {
		object.CRC32C = crc32c.Encode(r.CRC32C.Sum)
	}

	opts := newCallOptions(r.Native)
	kmsKey, err := cs.bucket.account.kmsKeyOfPart(r.Key, opts)
	if err != nil {
		return driver.Part{}, err
	}

	stored, err := cs.bucket.put(withCallOptions(ctx, opts), &objectUpload{
		query:  cs.bucket.uploadQuery("multipart", &gcs.ObjectAttrs{KMSKeyName: kmsKey}),
		object: object,
		body:   r.Body,
		size:   r.Size,
		key:    opts.key,
	})
	if err != nil {
		return driver.Part{}, err
	}

	// An open upload may have been completed or aborted while this part was stored.
	attrs := stored.attrs()
	if upload.open {
		if err := cs.checkOpen(ctx, &upload, object.Name, attrs.Revision); err != nil {
			return driver.Part{}, err
		}
	}
	return driver.Part{
		Number: r.Number,
		Tag:    attrs.Revision,
		ETag:   attrs.ETag,
		Size:   r.Size,
		CRC32C: attrs.CRC32C,
	}, nil
}

// checkOpen returns an error if an open upload has ended while a part was stored. It then removes the
// part, which has this key and revision, because nobody else would.
func (cs *composites) checkOpen(ctx context.Context, name *compositeUpload, key, revision string) error {
	isOpen := func(ctx context.Context) (bool, error) { return cs.hasMarker(ctx, name) }
	removePart := func(ctx context.Context) error {
		return cs.objects.Delete(ctx, &driver.DeleteRequest{Key: key, Version: revision})
	}
	return components.CheckOpen(ctx, isOpen, removePart)
}

// stageTail prepares an append, which composes the object as it is and its tail: the new bytes. It
// stores the tail as an intermediate object. If the object has a hold or a retention, stageTail
// returns Unsupported, because Google may refuse to replace the object.
func (cs *composites) stageTail(ctx context.Context, r *driver.ComposeRequest, c *composition) error {
	source := r.Sources[0].Attrs
	if source.LegalHold || source.Retention != (storage.Retention{}) {
		return storage.Unsupported
	}

	// Parsing fails for a storage class that cannot be part of the name of an upload.
	uploadName := newCompositeUpload(source.StorageClass)
	upload, err := parseCompositeUpload(uploadName)
	if err != nil {
		return err
	}

	// Store the tail as the only part of a new upload, whose folder has all intermediate objects.
	c.scratchPrefix = upload.prefix
	part, err := cs.put(ctx, r.TailPart(uploadName, 1))
	if err != nil {
		// The object itself is unchanged, even if the response to the put was lost.
		return cs.undo(ctx, c, sdkerror.WithoutEffect(translate(err)))
	}

	// The tail is the last source.
	generation, err := parseGeneration("part", part.Tag)
	if err != nil {
		return err
	}
	tail := cs.bucket.handle().Object(upload.key(1)).Generation(generation)
	c.sources = append(c.sources, tail)
	c.intermediates = append(c.intermediates, tail)
	c.crc = r.CRC32C
	return nil
}

// complete composes the parts and then removes them. The last composition has the condition,
// attributes and checksum of the write. If it fails, the parts remain for another attempt or for
// AbortParts. Concurrent calls for one open upload create one object; see components.Completion.
func (cs *composites) complete(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	name, err := parseCompositeUpload(r.Upload)
	if err != nil {
		return nil, err
	}
	c, err := cs.bucket.newComposition(r.Put.Key, &r.Put.Properties, &r.Put.Controls, r.Put.Native, r.Put.Condition)
	if err != nil {
		return nil, err
	}

	c.crc = r.Put.CRC32C
	// Intermediate objects are in the folder of the parts. Their keys sort after those of all parts.
	c.scratchPrefix = name.prefix + "1" + randomName() + "-"
	parts, err := cs.partObjects(&name, r.Parts)
	if err != nil {
		return nil, err
	}
	c.sources = slices.Clone(parts) // run replaces c.sources

	// An open upload may also have parts that are not in the object.
	if name.open {
		return cs.completeOpen(ctx, r, &name, c)
	}

	attrs, err := c.run(ctx)
	if err != nil {
		return nil, cs.joinError(ctx, err, &name, r.Put)
	}
	// The object is made. SweepParts removes what discard cannot.
	_ = cs.discard(ctx, name.prefix, append(parts, c.intermediates...))
	return attrs, nil
}

// partObjects returns the objects that are the parts of an upload, each with exactly the generation
// that its tag names.
func (cs *composites) partObjects(name *compositeUpload, parts []driver.Part) ([]*gcs.ObjectHandle, error) {
	var objects []*gcs.ObjectHandle
	for _, part := range parts {
		generation, err := parseGeneration("part", part.Tag)
		if err != nil {
			return nil, err
		}
		objects = append(objects, cs.bucket.handle().Object(name.key(part.Number)).Generation(generation))
	}
	return objects, nil
}

// joinError returns the error for a failed composition of an upload's parts.
func (cs *composites) joinError(ctx context.Context, err error, name *compositeUpload, r *driver.PutRequest) error {
	storageErr := translate(err)
	if storageErr.Code == storage.Changed {
		// Another process has removed or replaced parts.
		return cs.partsLostError(ctx, storageErr, name)
	}
	return cs.bucket.lockError(ctx, storageErr, r.Condition, &r.Controls)
}

// abort removes the objects of an upload to key, and does nothing if the upload is to another key.
// Only an open upload has a marker, which tells the key.
func (cs *composites) abort(ctx context.Context, key, upload string) error {
	name, err := parseCompositeUpload(upload)
	if err != nil {
		// No upload can have this name.
		return nil
	}
	if !name.open {
		return cs.remove(ctx, upload)
	}

	marker, err := cs.listMarker(ctx, &name)
	if err != nil {
		return translate(err)
	}
	if marker != nil {
		// A marker of another tool may have no key.
		uploadKey := components.Key(marker.Metadata)
		if uploadKey != "" && uploadKey != key {
			return nil
		}
	}
	return cs.remove(ctx, upload)
}

// remove removes all objects of an upload. It removes the marker of an open upload first, because without
// the marker no process can create an object from parts that are still there.
func (cs *composites) remove(ctx context.Context, upload string) error {
	name, err := parseCompositeUpload(upload)
	if err != nil {
		// No upload can have this name.
		return nil
	}
	if name.open {
		if err := cs.removeObject(ctx, cs.bucket.handle().Object(name.marker())); err != nil {
			return err
		}
	}
	// Remove the parts and intermediate objects, whatever their age is.
	if _, err := cs.sweep(ctx, name.prefix, nil); err != nil {
		return err
	}
	return cs.removeFolder(ctx, name.prefix)
}

// SweepParts removes the orphaned objects of parallel composite uploads
// ([Config.ParallelComposite]) and of compositions of more than 32 objects. A process that dies
// leaves such objects. SweepParts removes only objects older than olderThan, which must be longer
// than any upload takes. If an object seems that old, SweepParts reads the clock of the store: it
// stores a small object under the same prefix, and removes it. client is storage.As[*storage.Client](bucket).
//
// SweepParts returns the number of objects that it removed. If a listing or a removal fails,
// SweepParts stops and returns the error. If a retention policy keeps an object, SweepParts removes
// the other objects and then fails with Locked.
func SweepParts(
	ctx context.Context, client *gcs.Client, bucket string, olderThan time.Duration,
) (removed int, err error) {
	d := newDriver(&account{client: client}, bucket)
	age := &ageCheck{objects: d, olderThan: olderThan}
	isOld := func(o *gcs.ObjectAttrs) bool { return age.isOld(ctx, o) }
	removed, err = d.composites.sweep(ctx, componentsPrefix, isOld)
	if err != nil {
		return removed, err
	}
	return removed, age.err
}

// An ageCheck finds objects that are older than olderThan, by the clock of the store.
type ageCheck struct {
	objects   *objectDriver
	olderThan time.Duration
	storeTime time.Time // zero until the first object that seems old
	err       error     // why the time of the store is not known
}

// isOld reports whether an object is older than c.olderThan by the clock of the store. If that clock
// cannot be read, it sets c.err and returns false.
func (c *ageCheck) isOld(ctx context.Context, o *gcs.ObjectAttrs) bool {
	if !o.Created.Before(time.Now().Add(-c.olderThan)) {
		return false
	}

	// The clock of this machine may be ahead, so read that of the store, once.
	if c.storeTime.IsZero() && c.err == nil {
		c.storeTime, c.err = readClock(ctx, c.objects)
	}
	return c.err == nil && o.Created.Before(c.storeTime.Add(-c.olderThan))
}

// readClock returns the time of the store, by writing a small object, which it then removes.
func readClock(ctx context.Context, d *objectDriver) (time.Time, error) {
	object := d.bucket.handle().Object(componentsPrefix + "clock-" + randomName())
	w := object.NewWriter(ctx)
	w.ChunkSize = 0 // one request, instead of a resumable upload
	if err := w.Close(); err != nil {
		return time.Time{}, translate(err)
	}

	// If the object stays, a later SweepParts removes it.
	_ = d.composites.removeObject(ctx, object)
	return w.Attrs().Created, nil
}

// sweep removes the objects under a prefix for which isOld returns true, or all of them if isOld is
// nil. It also removes noncurrent versions, which a part that was sent twice may have. If objects are
// locked, sweep removes the others and then fails with Locked.
func (cs *composites) sweep(
	ctx context.Context, prefix string, isOld func(*gcs.ObjectAttrs) bool,
) (removed int, err error) {
	var lockedErr error // the first error with the code Locked
	token := ""
	for {
		objects, nextToken, err := cs.bucket.page(
			ctx, &gcs.Query{Prefix: prefix, Versions: true, Projection: gcs.ProjectionNoACL},
			[]string{"Name", "Generation", "Created"}, maxPage, token,
		)
		if err != nil {
			return removed, err
		}
		if isOld != nil {
			objects = slices.DeleteFunc(objects, func(o *gcs.ObjectAttrs) bool { return !isOld(o) })
		}

		count, pageLockedErr, err := cs.removeAll(ctx, objects)
		removed += count
		if err != nil {
			return removed, translate(err)
		}
		lockedErr = cmp.Or(lockedErr, pageLockedErr)

		isLastPage := nextToken == ""
		if isLastPage {
			return removed, lockedErr
		}
		if nextToken == token {
			// The server would return this page again and again.
			return removed, errRepeatedPage
		}
		token = nextToken
	}
}

// removeAll removes objects, and returns the number that it removed. lockedErr is the error of the
// first locked object, which does not keep the others from being removed, as any other error does.
func (cs *composites) removeAll(
	ctx context.Context, objects []*gcs.ObjectAttrs,
) (removed int, lockedErr, err error) {
	// Each call for an object sets only the elements of that object.
	isRemoved := make([]bool, len(objects))
	lockedErrs := make([]error, len(objects))
	err = running.Each(ctx, len(objects), maxParallel, func(ctx context.Context, i int) error {
		o := objects[i]
		err := cs.removeObject(ctx, cs.bucket.handle().Object(o.Name).Generation(o.Generation))
		if storage.CodeOf(err) == storage.Locked {
			lockedErrs[i] = err
			return nil
		}
		isRemoved[i] = err == nil
		return err
	})

	for i := range objects {
		if isRemoved[i] {
			removed++
		}
		lockedErr = cmp.Or(lockedErr, lockedErrs[i])
	}
	return removed, lockedErr, err
}

// discard removes intermediate objects and their folder, even if ctx has ended. SweepParts removes
// what discard could not.
func (cs *composites) discard(ctx context.Context, folder string, objects []*gcs.ObjectHandle) error {
	return cleanup.Run(ctx, func(ctx context.Context) error {
		// One object that stays does not keep the others.
		errs := running.All(len(objects), maxParallel, func(i int) error { return cs.removeObject(ctx, objects[i]) })
		for _, err := range errs {
			if err != nil {
				return translate(err)
			}
		}
		if err := cs.removeFolder(ctx, folder); err != nil {
			return translate(err)
		}
		return nil
	})
}

// undo removes the intermediate objects of a composition that failed with err, and returns err. It also
// lists them, because c does not have an object whose response was lost.
func (cs *composites) undo(ctx context.Context, c *composition, err error) error {
	discardErr := cs.discard(ctx, c.scratchPrefix, c.intermediates)
	return cleanup.After(ctx, translate(err), "intermediate objects", func(ctx context.Context) error {
		if _, err := cs.sweep(ctx, c.scratchPrefix, nil); err != nil {
			return translate(err)
		}
		return discardErr
	})
}

// removeObject removes an object of an upload, and succeeds if the object does not exist. If the
// bucket has a default event-based hold, compositions and parts that clients store with signed
// requests have the hold, so removeObject ends a hold that keeps the object.
// https://cloud.google.com/storage/docs/object-holds
func (cs *composites) removeObject(ctx context.Context, o *gcs.ObjectHandle) error {
	err := writes(ctx, o.Delete)
	if storage.CodeOf(err) == storage.Locked {
		if endEventBasedHold(ctx, o) != nil {
			// The first error tells why the object stays.
			return err
		}
		err = writes(ctx, o.Delete)
	}
	if statusOf(err) == http.StatusNotFound {
		return nil
	}
	return err
}

// endEventBasedHold ends the event-based hold of an object.
func endEventBasedHold(ctx context.Context, o *gcs.ObjectHandle) error {
	_, err := write(ctx, func(ctx context.Context) (*gcs.ObjectAttrs, error) {
		return o.Update(ctx, gcs.ObjectAttrsToUpdate{EventBasedHold: false})
	})
	return err
}
