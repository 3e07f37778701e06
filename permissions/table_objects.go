package permissions

var onObjects = []row{
	{"upload", "Upload", "", needs{"PutObject", "objects.create", "blobs/write", "w"}},
	{
		"upload-over", "Upload", "over an object",
		needs{"PutObject", "objects.create objects.delete", "blobs/write", "w"},
	},
	{"upload-if-absent", "Upload", "with `IfAbsent`", needs{"PutObject", "objects.create", "blobs/write", "w"}},
	{
		"upload-if-absent-lost", "Upload", "with `IfAbsent`, if the response gets lost",
		needs{"PutObject GetObject", "objects.create objects.get", "blobs/write blobs/read", "w r"},
	},
	{
		"upload-if-revision", "Upload", "with `IfRevision`",
		needs{"PutObject GetObject", "objects.create objects.delete", "blobs/write", "w"},
	},
	{"upload-parts", "Upload", "in parts", needs{"PutObject", "objects.create", "blobs/write", "w"}},
	{
		"upload-parts-failed", "Upload", "in parts, if the upload fails",
		needs{"PutObject AbortMultipartUpload ListMultipartUploadParts", "objects.create", "blobs/write", "w"},
	},
	{"upload-resumed", "Upload", "continued with `WithResume`", needs{"PutObject", "", "blobs/write", "w"}},
	{"download", "Download, Attrs, Exists", "", needs{"GetObject", "objects.get", "blobs/read", "r"}},
	{
		"download-missing", "Download, Attrs, Exists", "of an object that is missing",
		needs{"GetObject ListBucket", "objects.get objects.list", "blobs/read", "r"},
	},
	{
		"download-version", "Download, Attrs, Exists", "of a version",
		needs{"GetObjectVersion", "objects.get", "blobs/read", "r"},
	},
	{"list", "List, ListPage, FS", "", needs{"ListBucket", "objects.list", "blobs/read", "l"}},
	{"list-versions", "Versions", "", needs{"ListBucketVersions", "objects.list", "blobs/read", "l"}},
	{"remove", "Remove", "", needs{"DeleteObject", "objects.delete", "blobs/delete", "d"}},
	{
		"remove-if-revision", "Remove", "with `IfRevision`",
		needs{"DeleteObject GetObject", "objects.delete", "blobs/delete", "d"},
	},
	{
		"remove-version", "Remove", "of a version",
		needs{"DeleteObjectVersion", "objects.delete", "blobs/deleteBlobVersion/action", "x"},
	},
	{
		"remove-all", "RemoveAll, RemoveMatching", "",
		needs{"DeleteObject", "objects.delete", "blobs/delete containers/write", "d"},
	},
	{"copy", "Copy", "", needs{"GetObject PutObject", "objects.get objects.create", "blobs/read blobs/write", "r w"}},
	{
		"copy-with-properties", "Copy", "with other properties",
		needs{"GetObject PutObject", "objects.get objects.create", "blobs/read blobs/write", "r w"},
	},
	{
		"copy-tagged", "Copy", "of an object with tags",
		needs{
			"GetObject GetObjectTagging PutObject PutObjectTagging",
			"objects.get objects.create",
			"blobs/read blobs/tags/read blobs/write blobs/tags/write",
			"r t w",
		},
	},
	{
		"copy-with-tags", "Copy", "with `WithTags`",
		needs{
			"GetObject PutObject PutObjectTagging",
			"objects.get objects.create objects.createContext",
			"blobs/read blobs/write blobs/tags/write",
			"r w t",
		},
	},
	{
		"copy-without-tags", "Copy", "of an object with tags, with `WithTags(nil)`",
		needs{
			"GetObject PutObject",
			"objects.get objects.create objects.dropContexts",
			"blobs/read blobs/write",
			"r w",
		},
	},
	{
		"move", "Move", "",
		needs{
			"GetObject PutObject DeleteObject",
			"objects.get objects.create objects.delete",
			"blobs/read blobs/write blobs/delete",
			"r w d",
		},
	},
	{
		"compose", "Compose", "",
		needs{"GetObject PutObject", "objects.get objects.create", "blobs/read blobs/write", "r w"},
	},
	{
		"append", "Append", "",
		needs{
			"GetObject PutObject",
			"objects.get objects.create objects.delete objects.list",
			"blobs/read blobs/write",
			"r w",
		},
	},
	{
		"update", "Update", "",
		needs{"GetObject PutObject", "objects.get objects.create objects.delete", "blobs/read blobs/write", "r w"},
	},
	{
		"open-upload", "BeginUpload, PutPart, Complete", "",
		needs{
			"PutObject ListMultipartUploadParts",
			"objects.create objects.get objects.list objects.delete",
			"containers/read blobs/read blobs/write blobs/delete blobs/deleteBlobVersion/action",
			"r w d x l r(c)",
		},
	},
	{
		"abort-upload", "ContinueUpload, Abort", "",
		needs{
			"AbortMultipartUpload ListMultipartUploadParts",
			"objects.list objects.delete",
			"blobs/read blobs/delete blobs/deleteBlobVersion/action",
			"r d x l",
		},
	},
	{"list-uploads", "ListUploads", "", needs{"ListBucketMultipartUploads", "objects.list", "blobs/read", "l"}},
}
