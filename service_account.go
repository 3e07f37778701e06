package storage

// maxDefaultDays is the limit of S3: 100 years. More days could end in no year that a time has.
const maxDefaultDays = 36_500
