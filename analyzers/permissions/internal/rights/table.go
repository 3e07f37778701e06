package rights

// A use describes what a function does with one of its arguments, which is a bucket. The receiver
// of a method is argument 0.
type use struct {
	arg   int
	needs *requirement
	// method is the method that the function calls if the bucket is of a type that is not from the
	// library. It is "" if the function refuses such a type.
	method string
}

// functions describes the functions of the library that use a bucket. Their names are without
// "github.com/omnibucket/".
var functions = map[string][]use{
	"storage.UploadFile":           {{1, upload, ""}},
	"storage.NewWriter":            {{1, upload, "Upload"}},
	"storage.ReadAll":              {{1, download, "Download"}},
	"storage.ReadRanges":           {{1, download, "Download"}},
	"storage.DownloadFile":         {{1, download, "Download"}},
	"storage.NewReaderAt":          {{1, download, "Download"}, {1, none, "Attrs"}},
	"storage.FS":                   {{1, files, "Download"}, {1, none, "List"}, {1, none, "Attrs"}},
	"storage.ListPage":             {{1, list, ""}},
	"storage.Versions":             {{1, versions, ""}},
	"storage.ListUploads":          {{1, listUploads, ""}},
	"storage.RemoveAll":            {{1, removeAll, ""}},
	"storage.RemoveMatching":       {{1, removeFound, ""}},
	"storage.RemoveVersions":       {{1, removeVersion, ""}},
	"storage.Move":                 {{1, move, ""}},
	"storage.Compose":              {{1, compose, ""}},
	"storage.Append":               {{1, appended, ""}},
	"storage.Update":               {{1, update, "Download"}, {1, none, "Upload"}},
	"storage.BeginUpload":          {{1, openUpload, ""}},
	"storage.ContinueUpload":       {{1, openUpload, ""}},
	"storage.ContinueListedUpload": {{1, openUpload, ""}},
	"storage.PutSignedPart":        {{1, signedPart, ""}},
	"storage.AbortUpload":          {{1, abort, ""}},
	"storage.AbandonUpload":        {{1, abort, ""}},
	"storage.Tags":                 {{1, tags, ""}},
	"storage.SetTags":              {{1, setTags, ""}},
	"storage.SetRetention":         {{1, retention, ""}},
	"storage.SetLegalHold":         {{1, legalHold, ""}},
	"storage.Restore":              {{1, restore, ""}},
	"storage.SignedUploadForm":     {{1, signUpload, ""}},
	"storage.SignedRemoveURL":      {{1, signRemoval, ""}},
	"storage.StreamCopy":           {{1, upload, "Upload"}},
	"storage.As":                   {{0, anything, ""}},

	"storage/layers/mirror.Repair":         {{1, repair, ""}},
	"storage/layers/mirror.RepairAll":      {{1, repair, ""}},
	"storage/layers/mirror.Status":         {{1, files, ""}},
	"storage/layers/overlay.Finish":        {{1, repair, ""}},
	"storage/layers/overlay.Left":          {{1, files, ""}},
	"storage/layers/overlay.RemoveMarkers": {{1, repair, ""}},

	"storage/transfer.Upload":        {{1, transferUp, ""}},
	"storage/transfer.Download":      {{1, transferDown, ""}},
	"storage/transfer.Copy":          {{1, transferTo, ""}, {2, transferFrom, ""}},
	"storage/transfer.Compare":       {{1, files, ""}, {2, files, ""}},
	"storage/transfer.Expire":        {{1, expire, ""}},
	"storage/transfer.Remove":        {{1, transferRemove, ""}},
	"storage/transfer.RestoreAt":     {{1, restoreAt, ""}},
	"storage/transfer.Undelete":      {{1, restoreAt, ""}},
	"storage/transfer.OpenInventory": {{1, files, ""}, {2, download, ""}},
	"storage/transfer.ShardBounds":   {{1, list, ""}},
	"storage/transfer.WithJournal":   {{0, journal, ""}},
	"storage/transfer.WithBackup":    {{0, transferTo, ""}},
	"storage/transfer.WithLease":     {{0, lease, ""}},
}

// methods has the operations of each method of Bucket. They also apply to an interface with only
// some methods of Bucket.
var methods = map[string]*requirement{
	"Upload":            upload,
	"Download":          download,
	"List":              list,
	"Attrs":             download,
	"Exists":            download,
	"Remove":            remove,
	"SignedUploadURL":   signUpload,
	"SignedDownloadURL": signDownload,
	"PublicURL":         none,
}

// coreMethods has the operations of the methods of Core that Bucket does not have.
var coreMethods = map[string]*requirement{
	"RemoveAll":            removeAll,
	"RemoveVersions":       removeVersion,
	"ListPage":             list,
	"Versions":             versions,
	"CopyFrom":             copyInside,
	"Compose":              compose,
	"Move":                 move,
	"Tags":                 tags,
	"SetTags":              setTags,
	"SetRetention":         retention,
	"SetLegalHold":         legalHold,
	"Restore":              restore,
	"SignedRemoveURL":      signRemoval,
	"SignedUploadForm":     signUpload,
	"Vend":                 anything,
	"BeginUpload":          openUpload,
	"ContinueUpload":       openUpload,
	"ContinueListedUpload": openUpload,
	"ListUploads":          listUploads,
	"AbortUpload":          abort,
	"AbandonUpload":        abort,
	"PutSignedPart":        signedPart,
	"Native":               anything,
	"Source":               none,
	"Supports":             none,
	"Name":                 none,
	"Close":                none,
}

// serviceMethods has the operations of the methods of Service.
var serviceMethods = map[string]*requirement{
	"CreateBucket": createBucket,
	"BucketInfo":   bucketInfo,
	"UpdateBucket": updateBucket,
	"Buckets":      listBuckets,
	"DeleteBucket": deleteBucket,
	"Credentials":  anything,
	"Bucket":       none,
	"Close":        none,
}

// multipartMethods has the operations that the methods of MultipartUpload need. The call that
// begins the upload has needed other operations before.
var multipartMethods = map[string]*requirement{
	"PutPart":  openUpload,
	"Complete": openUpload,
	"Parts":    openUpload,
	"SignPart": signPart,
	"Abort":    abort,
}

// harmless has the functions that have a bucket as argument, but send no request. Some return
// another view of the bucket.
var harmless = map[string]bool{
	"storage.Close":                true,
	"storage.Supports":             true,
	"storage.Require":              true,
	"storage.Ref":                  true,
	"storage.Prefixed":             true,
	"storage.Wrap":                 true,
	"storage.NewBucket":            true,
	"storage.NewCopySource":        true,
	"storage/engine.New":           true,
	"storage/engine.NewService":    true,
	"storage/driver.Places":        true,
	"storage/driver.Overlap":       true,
	"storage/driver.PlacesOf":      true,
	"storage/driver.Intercept":     true,
	"storage/driver.StackIdentity": true,
	"storage/transfer.Bucket":      true,
	"storage/layers/mirror.New":    true,
	"storage/layers/overlay.New":   true,
}
