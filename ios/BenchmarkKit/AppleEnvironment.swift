// SPDX-License-Identifier: Apache-2.0
// What only Apple's systems tell. Not compiled on Linux, so not in the tests there.
#if canImport(Darwin)
  import Darwin
  import Dispatch
  import Foundation
  import os
  #if canImport(UIKit)
    import UIKit
  #endif

  extension SystemEnvironment {
    public var device: Device {
      #if targetEnvironment(simulator)
        return Device(kind: .simulator, model: ProcessInfo.processInfo.environment["SIMULATOR_MODEL_IDENTIFIER"])
      #elseif canImport(UIKit)
        let tablet = onMain { UIDevice.current.userInterfaceIdiom == .pad }
        return Device(kind: tablet ? .tablet : .phone, model: machine())
      #else
        return Device(kind: .desktop, model: nil)
      #endif
    }

    public func thermal() -> Conditions.Thermal? {
      switch ProcessInfo.processInfo.thermalState {
      case .nominal: .nominal
      case .fair: .fair
      case .serious: .serious
      case .critical: .critical
      @unknown default: nil
      }
    }

    public func isInForeground() -> Bool? {
      #if canImport(UIKit)
        return SystemWatch.shared.isInForeground
      #else
        return nil
      #endif
    }

    public func conditions() -> Conditions {
      var conditions = Conditions(thermal: thermal())
      conditions.lowPowerMode = ProcessInfo.processInfo.isLowPowerModeEnabled
      conditions.memoryPressure = SystemWatch.shared.memoryPressure
      conditions.qos = currentQoS()
      conditions.debugger = isTraced()
      conditions.foreground = isInForeground()
      #if canImport(UIKit)
        conditions.availableMemoryBytes = Int(clamping: os_proc_available_memory())
        let (state, level) = onMain {
          UIDevice.current.isBatteryMonitoringEnabled = true
          return (UIDevice.current.batteryState, UIDevice.current.batteryLevel)
        }
        if level >= 0 && state != .unknown {
          conditions.batteryPercent = Int((100 * level).rounded())
          conditions.plugged = state != .unplugged
        }
      #endif
      return conditions
    }
  }

  /// What comes as events: the memory pressure, and whether the app is in the foreground.
  private final class SystemWatch: @unchecked Sendable {
    static let shared = SystemWatch()

    private let lock = NSLock()
    private let source = DispatchSource.makeMemoryPressureSource(eventMask: .all)
    private var pressure = Conditions.MemoryPressure.normal
    private var foreground = true

    var memoryPressure: Conditions.MemoryPressure { lock.withLock { pressure } }
    var isInForeground: Bool { lock.withLock { foreground } }

    private init() {
      source.setEventHandler { [self] in
        let event = source.data
        let word: Conditions.MemoryPressure =
          event.contains(.critical) ? .critical : event.contains(.warning) ? .warning : .normal
        lock.withLock { pressure = word }
      }
      source.activate()
      #if canImport(UIKit)
        observe(UIApplication.didEnterBackgroundNotification, foreground: false)
        observe(UIApplication.willEnterForegroundNotification, foreground: true)
      #endif
    }

    #if canImport(UIKit)
      private func observe(_ name: Notification.Name, foreground value: Bool) {
        _ = NotificationCenter.default.addObserver(forName: name, object: nil, queue: nil) { [self] _ in
          lock.withLock { foreground = value }
        }
      }
    #endif
  }

  /// The identifier of the machine, such as `iPhone15,2`.
  private func machine() -> String? {
    var names = utsname()
    guard uname(&names) == 0 else { return nil }
    return withUnsafeBytes(of: names.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  /// Whether a debugger is attached: the flag that the kernel keeps for a traced process.
  private func isTraced() -> Bool? {
    var facts = kinfo_proc()
    var size = MemoryLayout<kinfo_proc>.stride
    var name = [CTL_KERN, KERN_PROC, KERN_PROC_PID, getpid()]
    guard sysctl(&name, UInt32(name.count), &facts, &size, nil, 0) == 0 else { return nil }
    return facts.kp_proc.p_flag & P_TRACED != 0
  }

  /// The quality of service of the calling thread.
  private func currentQoS() -> Conditions.QoS? {
    switch qos_class_self() {
    case QOS_CLASS_USER_INTERACTIVE: .userInteractive
    case QOS_CLASS_USER_INITIATED: .userInitiated
    case QOS_CLASS_DEFAULT: .default
    case QOS_CLASS_UTILITY: .utility
    case QOS_CLASS_BACKGROUND: .background
    default: nil
    }
  }

  #if canImport(UIKit)
    /// The result of a body that has to run on the main thread.
    private func onMain<R: Sendable>(_ body: @MainActor () -> R) -> R {
      if Thread.isMainThread { return MainActor.assumeIsolated(body) }
      return DispatchQueue.main.sync { MainActor.assumeIsolated(body) }
    }
  #endif
#endif
