package permissions

import "github.com/omnibucket/storage"

var objectRows = []Row{
	{
		Section: "Objects", Name: "`Upload`", Role: Writer, do: upload(),
		Needs: Needs{"PutObject", "objects.create", "blobs/write", "w"},
	}, {
		Name: "… over an object", Role: Full, setup: upload(), do: upload(),
		Needs: Needs{"PutObject", "objects.create objects.delete", "blobs/write", "w"},
	}, {
		Name: "… with `IfAbsent`", Role: Writer, do: upload(storage.IfAbsent()),
		Needs: Needs{"PutObject", "objects.create", "blobs/write", "w"},
	}, {
		Name: "… with `IfAbsent`, if the response gets lost", Role: Full, do: loseResponse,
		Needs: Needs{"PutObject GetObject", "objects.create objects.get", "blobs/write blobs/read", "w r"},
	}, {
		Name: "… with `IfRevision`", Role: Full, setup: aRevision,
		do:    ifRevision(func(r string) func(*env) error { return upload(storage.IfRevision(r)) }),
		Needs: Needs{"PutObject GetObject", "objects.create objects.delete", "blobs/write", "w"},
	}, {
		Name: "… in parts", Role: Writer, do: uploadParts(),
		Needs: Needs{"PutObject", "objects.create", "blobs/write", "w"},
	}, {
		Name: "… in parts, if the upload fails", Role: Writer, do: failParts,
		Needs: Needs{"PutObject AbortMultipartUpload ListMultipartUploadParts", "objects.create", "blobs/write", "w"},
	}, {
		Name: "… continued with `WithResume`", Role: Writer, setup: interrupt, do: resume,
		Needs: Needs{"PutObject", "", "blobs/write", "w"},
	}, {
		Name: "`Download`, `Attrs`, `Exists`", Role: Reader, setup: upload(), do: read(),
		Needs: Needs{"GetObject", "objects.get", "blobs/read", "r"},
	}, {
		Name: "… of an object that is missing", Role: Reader, do: readMissing,
		Needs: Needs{"GetObject ListBucket", "objects.get objects.list", "blobs/read", "r"},
	}, {
		Name: "… of a version", Role: Full, Kind: Versions, setup: twoVersions(), do: readVersion,
		Needs: Needs{"GetObjectVersion", "objects.get", "blobs/read", "r"},
	}, {
		Name: "`List`, `ListPage`, `FS`", Role: Reader, setup: upload(), do: list,
		Needs: Needs{"ListBucket", "objects.list", "blobs/read", "l"},
	}, {
		Name: "`Versions`", Role: Full, Kind: Versions, setup: twoVersions(), do: versions,
		Needs: Needs{"ListBucketVersions", "objects.list", "blobs/read", "l"},
	}, {
		Name: "`Remove`", Role: Full, setup: upload(), do: remove(),
		Needs: Needs{"DeleteObject", "objects.delete", "blobs/delete", "d"},
	}, {
		Name: "… with `IfRevision`", Role: Full, setup: aRevision,
		do:    ifRevision(func(r string) func(*env) error { return remove(storage.IfRevision(r)) }),
		Needs: Needs{"DeleteObject GetObject", "objects.delete", "blobs/delete", "d"},
	}, {
		Name: "… of a version", Role: Full, Kind: Versions, setup: twoVersions(), do: removeVersion(),
		Needs: Needs{"DeleteObjectVersion", "objects.delete", "blobs/deleteBlobVersion/action", "x"},
	}, {
		Name: "`RemoveAll`, `RemoveMatching`", Role: Full, setup: upload(), do: removeSeveral,
		Needs: Needs{"DeleteObject", "objects.delete", "blobs/delete containers/write", "d"},
	}, {
		Name: "`Copy`", Role: Full, setup: upload(), do: copyTo(),
		Needs: Needs{"GetObject PutObject", "objects.get objects.create", "blobs/read blobs/write", "r w"},
	}, {
		Name: "… with other properties", Role: Full, setup: upload(), do: copyTo(storage.WithContentType("text/html")),
		Needs: Needs{"GetObject PutObject", "objects.get objects.create", "blobs/read blobs/write", "r w"},
	}, {
		Name: "… of an object with tags", Role: Full, setup: upload(storage.WithTags(someTags)), do: copyTo(),
		Needs: Needs{"GetObject GetObjectTagging PutObject PutObjectTagging", "objects.get objects.create",
			"blobs/read blobs/tags/read blobs/write blobs/tags/write", "r t w"},
	}, {
		Name: "… with `WithTags`", Role: Full, setup: upload(storage.WithTags(someTags)),
		do: copyTo(storage.WithTags(otherTags)),
		Needs: Needs{"GetObject PutObject PutObjectTagging", "objects.get objects.create objects.createContext",
			"blobs/read blobs/write blobs/tags/write", "r w t"},
	}, {
		Name: "… of an object with tags, with `WithTags(nil)`", setup: upload(storage.WithTags(someTags)),
		do: copyTo(storage.WithTags(nil)),
		Needs: Needs{
			"GetObject PutObject", "objects.get objects.create objects.dropContexts", "blobs/read blobs/write", "r w",
		},
	}, {
		Name: "`Move`", Role: Full, setup: upload(), do: move,
		Needs: Needs{
			"GetObject PutObject DeleteObject", "objects.get objects.create objects.delete",
			"blobs/read blobs/write blobs/delete", "r w d",
		},
	}, {
		Name: "`Compose`", Role: Full, setup: uploadParts(), do: compose,
		Needs: Needs{"GetObject PutObject", "objects.get objects.create", "blobs/read blobs/write", "r w"},
	}, {
		Name: "`Append`", Role: Full, setup: upload(), do: appendTo,
		Needs: Needs{
			"GetObject PutObject", "objects.get objects.create objects.delete objects.list", "blobs/read blobs/write", "r w",
		},
	}, {
		Name: "`Update`", Role: Full, setup: upload(), do: update,
		Needs: Needs{
			"GetObject PutObject", "objects.get objects.create objects.delete", "blobs/read blobs/write", "r w",
		},
	}, {
		Name: "`BeginUpload`, `PutPart`, `Complete`", Role: Full, do: openUpload,
		Needs: Needs{"PutObject ListMultipartUploadParts", "objects.create objects.get objects.list objects.delete",
			"containers/read blobs/read blobs/write blobs/delete blobs/deleteBlobVersion/action", "r w d x l r(c)"},
	}, {
		Name: "… and `Abort`", Role: Full, setup: begun, do: abortUpload,
		Needs: Needs{
			"AbortMultipartUpload ListMultipartUploadParts", "objects.list objects.delete",
			"blobs/read blobs/delete blobs/deleteBlobVersion/action", "r d x l",
		},
	}, {
		Name: "`ListUploads`", Role: Full, setup: begun, do: listUploads,
		Needs: Needs{"ListBucketMultipartUploads", "objects.list", "blobs/read", "l"},
	},
}
