// Package fileowner tells whether a file belongs to another user.
package fileowner
