/**
 * Flags of open(2), the lowest bit first (include/uapi/asm-generic/fcntl.h, as x86 has them; arm64 has other bits for O_DIRECT,
 * O_LARGEFILE, O_DIRECTORY and O_NOFOLLOW). O_SYNC stands for its own bit, which comes with O_DSYNC; O_TMPFILE for its own, which
 * comes with O_DIRECTORY.
 */
export const openFlags: readonly string[] = [
  'O_WRONLY',
  'O_RDWR',
  '',
  '',
  '',
  '',
  'O_CREAT',
  'O_EXCL',
  'O_NOCTTY',
  'O_TRUNC',
  'O_APPEND',
  'O_NONBLOCK',
  'O_DSYNC',
  'O_ASYNC',
  'O_DIRECT',
  'O_LARGEFILE',
  'O_DIRECTORY',
  'O_NOFOLLOW',
  'O_NOATIME',
  'O_CLOEXEC',
  'O_SYNC',
  'O_PATH',
  'O_TMPFILE',
]
